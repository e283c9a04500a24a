"""Reads the log's objects of some days, for all merchants."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from falcon_balances.adapters.aws import aws_call
from falcon_balances.domain.bank_statement_lines import Period
from falcon_balances.domain.operations import Stage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONCURRENT: Final = 32
_OBJECT_BYTES_MAX: Final = 4 << 20
_DAY = re.compile(r"/date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/")


class LogDays:
    """Reads log objects by day; the keys are listed merchant by merchant."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def objects(self, stage: Stage, period: Period) -> Iterator[tuple[str, bytes]]:
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            prefixes = list(self._merchants(stage))
            for keys in pool.map(lambda prefix: self._keys(prefix, period), prefixes):
                yield from zip(keys, pool.map(self._read, keys), strict=True)

    def _merchants(self, stage: Stage) -> Iterator[str]:
        """The prefixes of merchants, a thousand per request."""
        with aws_call(f"merchants of {stage}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{stage}/", Delimiter="/"
            )
            for page in pages:
                yield from (each["Prefix"] for each in page.get("CommonPrefixes", []))

    def _keys(self, prefix: str, period: Period) -> list[str]:
        """Keys sort by day, so earlier and later ones are not listed."""
        start = "" if period.since is None else f"{prefix}date={period.since.isoformat()}"
        keys: list[str] = []
        with aws_call(f"keys below {prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, StartAfter=start
            )
            for page in pages:
                for each in page.get("Contents", []):
                    day = _DAY.search(each["Key"])
                    if day is None:
                        continue
                    if period.until is not None and day["day"] >= period.until.isoformat():
                        return keys
                    keys.append(each["Key"])
        return keys

    def _read(self, key: str) -> bytes:
        """The object's bytes; no bytes if it is larger than any log object, which is a flaw."""
        with aws_call(f"read {key}"):
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
            read = body.read(_OBJECT_BYTES_MAX + 1)
            body.close()
        return read if len(read) <= _OBJECT_BYTES_MAX else b""
