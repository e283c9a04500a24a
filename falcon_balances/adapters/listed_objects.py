"""Objects of a bucket as S3 lists them, and the bytes of each."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from falcon_balances.adapters.aws import aws_call

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ListedObjects:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def pages(self, prefix: str) -> Iterator[list[tuple[str, int]]]:
        """Keys with their sizes, a thousand or fewer at a time."""
        with aws_call(f"keys of {self._bucket}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for page in pages:
                yield [(each["Key"], each["Size"]) for each in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        with aws_call(f"read {key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
