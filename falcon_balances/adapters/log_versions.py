"""The versions of one object of the log."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from falcon_balances.adapters.aws import aws_call

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class KeyVersions:
    """`first` is None if the key has no version. `is_odd`: a second version or a delete marker."""

    first: str | None
    is_odd: bool


class LogVersions:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def of(self, key: str) -> KeyVersions:
        """One request for each thousand versions. A listing has the newest version of a key first,
        also within a second, in which the times are equal.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
        """
        versions: list[str] = []
        markers = 0
        with aws_call(f"versions of {key}"):
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=key
            )
            for page in pages:
                own = [each for each in page.get("Versions", []) if each["Key"] == key]
                versions += (each["VersionId"] for each in own)
                markers += sum(each["Key"] == key for each in page.get("DeleteMarkers", []))
        return KeyVersions(versions[-1] if versions else None, len(versions) > 1 or markers > 0)

    def read(self, key: str, version_id: str) -> bytes:
        with aws_call(f"read {key}"):
            answer = self._s3.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)
            return answer["Body"].read()
