"""The transaction log in S3 (design §6): every object written once, with its checksum."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.ports import LogObject, LogTooLargeError, TransactionLog
from falcon_balances.adapters.write_once import put_once, version_of
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.log_keys import DayRange, merchant_prefix
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.observability import metrics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_CONCURRENT: Final = 16


def append_once(log: TransactionLog, key: str, logged: LogObject) -> str:
    """Writes an object, and returns the id of its version; if the same bytes are there already,
    that is no error, because an answer may have been lost.

    Raises IntegrityError for different bytes.
    """
    version_id = log.append(key, logged)
    return logged_version(log, key, logged.body) if version_id is None else version_id


def logged_version(log: TransactionLog, key: str, body: bytes) -> str:
    """The id of the version under this key. Raises IntegrityError for different bytes."""
    found = log.read(key)
    if found.body != body:
        metrics.add_metric(name="LogMismatch", unit="Count", value=1)
        raise IntegrityError(f"the log holds different bytes under {key}")
    return found.version_id


def append_claimed(log: TransactionLog, claim: ClaimV1) -> tuple[str, ...]:
    """Writes all objects of a claim, and returns the ids of their versions, in the same order.
    Raises IntegrityError if different bytes exist already.
    """
    return tuple(
        append_once(
            log,
            segment.log_key,
            LogObject(claim.body_of(segment).encode(), claim.log_metadata(segment)),
        )
        for segment in claim.segments
    )


def claimed_versions(log: TransactionLog, claim: ClaimV1) -> tuple[str, ...]:
    """The ids of the versions of a claim's objects, which are all in the log: one read each."""
    return tuple(
        logged_version(log, segment.log_key, claim.body_of(segment).encode())
        for segment in claim.segments
    )


class S3TransactionLog:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def append(self, key: str, logged: LogObject) -> str | None:
        """One conditional PUT."""
        kind = "text/csv; charset=utf-8"
        return put_once(self._s3, self._bucket, key, logged.body, kind, logged.metadata)

    def read(self, key: str) -> LogObject:
        with aws_call(f"read {key}"):
            return self._get(key)

    def read_existing(self, keys: Collection[str]) -> Mapping[str, LogObject]:
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            found = zip(keys, pool.map(self._existing, keys), strict=True)
            return {key: logged for key, logged in found if logged is not None}

    def _existing(self, key: str) -> LogObject | None:
        with aws_call(f"read {key}"):
            try:
                return self._get(key)
            except ClientError as error:
                if error_code(error) != "NoSuchKey":
                    raise
                return None

    def _get(self, key: str) -> LogObject:
        answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        return LogObject(answer["Body"].read(), answer["Metadata"], version_of(answer))

    def segments_of(
        self, merchant_id: str, objects_max: int | None = None, days: DayRange | None = None
    ) -> Sequence[Segment]:
        """The merchant's segments, by one listing for each stage. Raises IntegrityError for an
        object that this code would not have written.

        The listing tells whether there are too many objects, before any of them is read.
        """
        wanted = None if objects_max is None else objects_max + 1
        keys = list(islice(self._keys(merchant_id, days), wanted))
        if objects_max is not None and len(keys) > objects_max:
            raise LogTooLargeError(merchant_id, objects_max)
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            return list(pool.map(self._segment, keys))

    def _segment(self, key: str) -> Segment:
        try:
            return read_strictly(key, self.read(key).body)
        except FlawedObjectError as error:
            raise IntegrityError(f"{key}: {error}") from error

    def _keys(self, merchant_id: str, days: DayRange | None) -> Iterator[str]:
        for stage in Stage:
            prefix = merchant_prefix(stage, merchant_id)
            after = prefix if days is None else days.start(prefix)
            for key in self._listed(prefix, after):
                if days is not None and not days.contain(key, prefix):
                    break
                yield key

    def _listed(self, prefix: str, after: str) -> Iterator[str]:
        with aws_call(f"keys of {prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after
            )
            for page in pages:
                yield from (each["Key"] for each in page.get("Contents", []))
