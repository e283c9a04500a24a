"""Objects that are written once: a conditional PUT with a checksum."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def put_once(
    s3: "S3Client",
    bucket: str,
    key: str,
    body: bytes,
    content_type: str,
    metadata: Mapping[str, str] | None = None,
) -> str | None:
    """A conditional PUT: the id of the version that was written. None for 412: an object exists,
    perhaps with our own bytes, if an answer was lost.

    S3 compares the bytes that it received with their SHA-256 before it writes them.

    409, another write in progress, is TransientError, like every other refusal of S3.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    with aws_call(f"append {key}"):
        try:
            answer = s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                Metadata=metadata or {},
                ChecksumSHA256=b64encode(sha256(body).digest()).decode(),
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error_code(error) != "PreconditionFailed":
                raise
            return None
    return version_of(answer)


def version_of(answer: Mapping[str, Any]) -> str:
    """S3's id of the version that an answer is about; S3's own word is `null` for an object in a
    bucket without versions.
    """
    return str(answer.get("VersionId", "null"))
