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

    def keys(self) -> Iterator[tuple[str, str]]:
        """The key of each file, with its ETag: a request for each thousand files that ever came,
        which are 37 after five years of twenty accounts.
        """
        with aws_call("keys of statements"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=STATEMENTS
            )
            for page in pages:
                yield from ((each["Key"], each["ETag"]) for each in page.get("Contents", []))

    def read(self, key: str, bytes_max: int) -> bytes:
        """The newest version's bytes; of a larger file only the first `bytes_max` + 1."""
        with aws_call(f"read {key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read(bytes_max + 1)

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
