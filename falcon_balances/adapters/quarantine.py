"""The quarantine bucket: raw bytes of refused messages, with code and reason (design §9)."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.stage_ports import QuarantinedBody
from falcon_balances.domain.instants import rfc3339

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def quarantine_key(source: str, body: bytes, received_on: str) -> str:
    """The key of refused bytes; `received_on` is a UTC day, YYYY-MM-DD."""
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


class QuarantineReader:
    """Reads quarantine for operators. Keys: `{source}/date={day}/{SHA-256 of the body}`."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def keys(self, prefix: str) -> Iterator[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in pages:
            yield from (each["Key"] for each in page.get("Contents", []))

    def versions(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Key and version of every refusal: the same bytes refused again are another version."""
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in pages:
            yield from ((each["Key"], each["VersionId"]) for each in page.get("Versions", []))

    def said_of(self, key: str, version_id: str | None = None) -> Mapping[str, str]:
        """`code`, `reason` and `received_at`; of the newest version if `version_id` is None."""
        more: Any = {} if version_id is None else {"VersionId": version_id}
        return self._s3.head_object(Bucket=self._bucket, Key=key, **more)["Metadata"]

    def read(self, key: str) -> tuple[bytes, Mapping[str, str]] | None:
        """The body of the newest version and its metadata; None if the key does not exist."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return None
        return answer["Body"].read(), answer["Metadata"]
