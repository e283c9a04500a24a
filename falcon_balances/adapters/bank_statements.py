"""The bucket of bank statements, and of the reports about them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.adapters.aws import aws_call
from falcon_balances.domain.bank_statement_lines import BankStatementAccount
from falcon_balances.domain.operations import Stage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STATEMENTS: Final = "statements/"
REPORTS: Final = "reports/"
_KEY = re.compile(
    rf"{STATEMENTS}(?P<stage>confirmed|reconciled|payout)/"
    r"(psp_id=(?P<psp_id>[A-Za-z0-9][A-Za-z0-9._:-]{0,63})/)?"
    r"date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/[^/]+\Z"
)


_STAGE = re.compile(rf"{STATEMENTS}(confirmed|reconciled|payout)/\Z")
_STRAYS: Final = 10


@dataclass(frozen=True, slots=True, order=True)
class BankStatementFile:
    """A file; `day` is the last day that it covers. `etag`: S3's, another one for other bytes."""

    account: BankStatementAccount
    day: date
    key: str
    etag: str = ""

    @classmethod
    def of(cls, key: str, etag: str = "") -> "BankStatementFile | None":
        found = _KEY.match(key)
        if found is None:
            return None
        try:
            day = date.fromisoformat(found["day"])
        except ValueError:
            return None
        return cls(
            BankStatementAccount(Stage(found["stage"]), found["psp_id"] or ""), day, key, etag
        )


def report_key(account: BankStatementAccount, today: date) -> str:
    of_psp = f"/psp_id={account.psp_id}" if account.psp_id else ""
    return f"{REPORTS}{account.stage}{of_psp}/date={today.isoformat()}.json"


class BankStatementBucket:
    """Keys: `statements/{stage}[/psp_id={psp_id}]/date={day}/…`, and reports beside them."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def keys(self, since: date) -> Iterator[tuple[str, str]]:
        """The key of each file of days from `since` on, with its ETag; at least one older key of
        each account that has any; and keys outside the folders of days, of a PSP at most 20.

        Three requests for each PSP, four for each stage, and one more for each thousand files since
        then, at any age of the archive.
        """
        with aws_call("keys of statements"):
            found: dict[str, str] = {}
            for folder in self._within(STATEMENTS, "", found):
                if _STAGE.match(folder) is None:
                    found[folder] = ""
                    continue
                psps = self._within(folder, f"{folder}date={since}", found)
                for each in (folder, *(psp for psp in psps if "/psp_id=" in psp)):
                    self._add_recent(each, since, found)
        yield from sorted(found.items())

    def _within(self, folder: str, after: str, found: dict[str, str]) -> list[str]:
        """The folders in this one whose names are after `after`; files go to `found`."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=folder, StartAfter=after, Delimiter="/"
        )
        folders: list[str] = []
        for page in pages:
            found.update((each["Key"], each["ETag"]) for each in page.get("Contents", []))
            folders += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        return folders

    def _add_recent(self, folder: str, since: date, found: dict[str, str]) -> None:
        for after in (folder, f"{folder}date=~"):
            page = self._s3.list_objects_v2(
                Bucket=self._bucket, Prefix=folder, StartAfter=after, MaxKeys=_STRAYS
            )
            found.update((each["Key"], each["ETag"]) for each in page.get("Contents", []))
        days = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{folder}date=", StartAfter=f"{folder}date={since}"
        )
        for recent in days:
            found.update((each["Key"], each["ETag"]) for each in recent.get("Contents", []))

    def read(self, key: str, bytes_max: int) -> bytes:
        """The newest version's bytes; of a larger file only the first `bytes_max` + 1."""
        with aws_call(f"read {key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read(bytes_max + 1)

    def is_reported(self, account: BankStatementAccount, today: date) -> bool:
        key = report_key(account, today)
        with aws_call(f"look for {key}"):
            found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return any(each["Key"] == key for each in found.get("Contents", []))

    def report(
        self, account: BankStatementAccount, today: date, document: Mapping[str, Any]
    ) -> str:
        """Writes the report; another run on the same day writes another version."""
        key = report_key(account, today)
        with aws_call(f"report {key}"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=json.dumps(document, indent=1).encode(),
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
            )
        return key
