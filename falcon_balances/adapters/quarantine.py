"""The quarantine bucket: raw bytes that were refused, with code and reason (design §9)."""

from hashlib import sha256
from typing import TYPE_CHECKING

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.ports import QuarantinedBody
from falcon_balances.domain.instants import rfc3339

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def quarantine_key(source: str, body: bytes, received_on: str) -> str:
    """`received_on` is a UTC day, YYYY-MM-DD."""
    return f"{source}/date={received_on}/{sha256(body).hexdigest()}"


class S3Quarantine:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, refused: QuarantinedBody) -> None:
        """The same bytes refused again become a new version: every refusal can be read."""
        received_at = rfc3339(refused.received_at)
        key = quarantine_key(refused.source, refused.body, received_at[:10])
        with aws_call(f"quarantine {key}"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=refused.body,
                ContentType="application/octet-stream",
                Metadata={
                    "code": refused.code,
                    "reason": refused.reason,
                    "received_at": received_at,
                },
            )
