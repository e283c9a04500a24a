"""What the reconciler touches: the bucket that statements arrive in, and the log's days."""

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.adapters.aws import aws_call
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.reconciliation import Period

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONCURRENT: Final = 32
_OBJECT_BYTES_MAX: Final = 4 << 20
STATEMENTS: Final = "statements/"
REPORTS: Final = "reports/"
_KEY = re.compile(
    rf"{STATEMENTS}(?P<stage>confirmed|reconciled|payout)/"
    r"(psp_id=(?P<psp_id>[A-Za-z0-9][A-Za-z0-9._:-]{0,63})/)?"
    r"date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/[^/]+\Z"
)
_DAY = re.compile(r"/date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/")


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """Whose statements these are: of one PSP, or of the bank, which shows all of them."""

    stage: Stage
    psp_id: str = ""


@dataclass(frozen=True, slots=True, order=True)
class StatementFile:
    """`day`: the last that it covers."""

    account: Account
    day: date
    key: str

    @classmethod
    def of(cls, key: str) -> "StatementFile | None":
        found = _KEY.match(key)
        if found is None:
            return None
        try:
            day = date.fromisoformat(found["day"])
        except ValueError:
            return None
        return cls(Account(Stage(found["stage"]), found["psp_id"] or ""), day, key)


class StatementBucket:
    """Statements under `statements/{stage}[/psp_id={psp_id}]/date={day}/`, reports beside them."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def keys(self) -> Iterator[str]:
        with aws_call("keys of statements"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=STATEMENTS
            )
            for page in pages:
                yield from (each["Key"] for each in page.get("Contents", []))

    def read(self, key: str, bytes_max: int) -> bytes:
        """The newest version; of what is larger than that, one byte more."""
        with aws_call(f"read {key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read(bytes_max + 1)

    def report(self, account: Account, today: date, document: Mapping[str, Any]) -> str:
        """Another run of the same day writes another version."""
        of_psp = f"/psp_id={account.psp_id}" if account.psp_id else ""
        key = f"{REPORTS}{account.stage}{of_psp}/date={today.isoformat()}.json"
        with aws_call(f"report {key}"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=json.dumps(document, indent=1).encode(),
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
            )
        return key


class LogDays:
    """The log's objects of some days, whoever's they are: a listing for each merchant."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def objects(self, stage: Stage, period: Period) -> Iterator[tuple[str, bytes]]:
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            prefixes = list(self._merchants(stage))
            for keys in pool.map(lambda prefix: self._keys(prefix, period), prefixes):
                yield from zip(keys, pool.map(self._read, keys), strict=True)

    def _merchants(self, stage: Stage) -> Iterator[str]:
        """Their prefixes, a thousand in a request."""
        with aws_call(f"merchants of {stage}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{stage}/", Delimiter="/"
            )
            for page in pages:
                yield from (each["Prefix"] for each in page.get("CommonPrefixes", []))

    def _keys(self, prefix: str, period: Period) -> list[str]:
        """Keys sort by their days, so what is before and after is not listed."""
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
        """Nothing of what is larger than a log object can be: it is flawed like that."""
        with aws_call(f"read {key}"):
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
            read = body.read(_OBJECT_BYTES_MAX + 1)
            body.close()
        return read if len(read) <= _OBJECT_BYTES_MAX else b""
