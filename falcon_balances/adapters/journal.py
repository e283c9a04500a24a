"""The journal in S3 (design §7): every page written once, listed by shard and number."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.write_once import put_once
from falcon_balances.contracts.journal_pages import WrittenPage
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.journal import PageName, key_after, shard_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Journal:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def write(self, page: WrittenPage) -> None:
        """One conditional PUT. An object under this key is this page, because the key has the hash
        of the bytes, which every reader compares: so it is not read back, and the function that
        writes the journal needs no permission to read it.
        """
        put_once(self._s3, self._bucket, page.name.key, page.body, "application/jsonl")

    def names(self, shard_id: str, after: int) -> Iterator[PageName]:
        """One request for each thousand pages after `after`; older pages cost nothing."""
        with aws_call(f"journal pages of {shard_id}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket,
                Prefix=shard_prefix(shard_id),
                StartAfter=key_after(shard_id, after + 1),
            )
            for page in pages:
                for each in page.get("Contents", []):
                    yield named(each["Key"])

    def read(self, name: PageName) -> bytes:
        with aws_call(f"read {name.key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=name.key)["Body"].read()


def named(key: str) -> PageName:
    """The name of a page, from its key. Raises IntegrityError for a key that no page can have."""
    try:
        return PageName.parse(key)
    except ValueError as error:
        raise IntegrityError(f"{key}: {error}") from error
