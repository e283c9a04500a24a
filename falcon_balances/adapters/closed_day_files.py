"""Closed days in their bucket: descriptions, Parquet files, and the lists that Athena reads by.

days/2026-11-20.json                  the description, written once: it decides which run counts
closed/date=2026-11-20/run={run}/     what Athena wrote in a run
pages/date=2026-11-20/run={run}/      a list of the journal pages that the run reads
published/date=2026-11-20/            a list of the files that the description names
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.write_once import put_once
from falcon_balances.contracts.closed_days import ClosedDayV1, ParquetFileV1, day_folder
from falcon_balances.domain.errors import IntegrityError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DAYS: Final = "days/"
CLOSED: Final = "closed/"
_LIST: Final = "objects.txt"
_READS_AT_ONCE: Final = 16
_CHUNK_BYTES: Final = 1 << 20


class ClosedDayFiles:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def newest(self) -> ClosedDayV1 | None:
        """The description of the last day. One request for each thousand days, and one read."""
        *_, key = [None, *(key for key, _ in self._listed(DAYS))]
        return None if key is None else self._description(key)

    def every(self) -> list[ClosedDayV1]:
        """All descriptions, by day: a read for each, sixteen at once; two kilobytes of memory."""
        keys = [key for key, _ in self._listed(DAYS)]
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            return list(pool.map(self._description, keys))

    def location(self, day: date, run: str) -> str:
        """Where Athena writes the rows of a run; nobody wrote there before."""
        return f"s3://{self._bucket}/{_folder(day)}/{_run(run)}/"

    def list_pages(self, day: date, run: str, pages: Sequence[str]) -> None:
        """Says which pages the run reads, by their addresses: 300 bytes for each page."""
        key = f"pages/{day_folder(day)}/{_run(run)}/{_LIST}"
        self._put(key, "".join(f"{page}\n" for page in pages))

    def files(self, day: date, run: str) -> tuple[ParquetFileV1, ...]:
        """The files of a run, by name; every byte is read to hash it, a MiB at a time."""
        prefix = f"{_folder(day)}/{_run(run)}/"
        return tuple(
            ParquetFileV1(
                name=f"{_run(run)}/{key.removeprefix(prefix)}", sha256=self._sha256(key), size=size
            )
            for key, size in self._listed(prefix)
            if size
        )

    def publish(self, said: ClosedDayV1) -> ClosedDayV1:
        """The description of the day that counts from now on: this one, or the one that another
        run wrote first.
        """
        key = f"{DAYS}{said.date}.json"
        written = put_once(self._s3, self._bucket, key, said.bytes_written, "application/json")
        return said if written is not None else self._description(key)

    def described(self, day: date) -> ClosedDayV1 | None:
        """The day's description, if it is made."""
        key = f"{DAYS}{day.isoformat()}.json"
        return self._description(key) if any(self._listed(key)) else None

    def show(self, said: ClosedDayV1) -> None:
        """Makes Athena's table show the files that a published description names: writes their
        list, the same bytes however often.
        """
        folder = f"s3://{self._bucket}/{_folder(said.day)}"
        if said.files:
            names = "".join(f"{folder}/{each.name}\n" for each in said.files)
            self._put(f"published/{day_folder(said.day)}/{_LIST}", names)

    def _listed(self, prefix: str) -> Iterator[tuple[str, int]]:
        with aws_call(f"list {prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for page in pages:
                for each in page.get("Contents", []):
                    yield each["Key"], each["Size"]

    def _description(self, key: str) -> ClosedDayV1:
        with aws_call(f"read {key}"):
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        said = ClosedDayV1.read(key, body)
        if key != f"{DAYS}{said.date}.json":
            raise IntegrityError(f"{key}: it is the description of {said.date}")
        return said

    def _sha256(self, key: str) -> str:
        digest = sha256()
        with aws_call(f"read {key}"):
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def _put(self, key: str, text: str) -> None:
        with aws_call(f"write {key}"):
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=text.encode(), ContentType="text/plain"
            )


def _folder(day: date) -> str:
    return f"{CLOSED}{day_folder(day)}"


def _run(run: str) -> str:
    return f"run={run}"
