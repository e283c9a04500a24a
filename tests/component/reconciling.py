"""Bank statements, the reconciler's files and a journal of a log, for its tests."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final

import boto3

from falcon_balances.adapters.bank_statements import BankStatementBucket
from falcon_balances.adapters.comparison_files import ComparisonBucket
from falcon_balances.contracts.currencies import scaled
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from falcon_balances.domain.log_format import logged_segment
from falcon_balances.domain.logged_operations import logged_operations
from falcon_balances.domain.operations import Stage
from falcon_balances.fakes.journal import MemoryJournal
from lambdas.reconciler.mornings import Morning
from lambdas.reconciler.reconciling import ReconcilerPorts, reconcile_new
from tests.audit.sealed import objects
from tests.journals import SHARD, append, entry

STATEMENTS = "statement-bucket"
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
REGION: Final = "eu-central-1"
HEAD = "reference,amount,currency,date\n"
TODAY = date(2026, 11, 3)
DAYS = 3


class Buckets:
    """Bank statements and the reconciler's files on S3, and a journal of the log."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name=REGION)
        self.s3.create_bucket(
            Bucket=STATEMENTS, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.journal = MemoryJournal()
        self.position = BEGINNING
        self.log = objects(60, 7)
        self.count(self.log)

    def count(self, some: Mapping[str, bytes]) -> None:
        """Writes a page of these log objects."""
        entries = [
            entry(n, log_key=key, body=body.decode()) for n, (key, body) in enumerate(some.items())
        ]
        self.position = append(self.journal, self.position, *entries)

    def operations(self):
        """What is reconciled, by day."""
        segments = [logged_segment(key, body.decode()) for key, body in self.log.items()]
        reconciled = [
            each for each in logged_operations(segments) if each.stage is Stage.RECONCILED
        ]
        days: dict[date, list[str]] = {}
        for each in sorted(reconciled):
            row = f"{each.reference},{scaled(each.minor, 'EUR')},EUR,{each.day}\n"
            days.setdefault(each.day, []).append(row)
        return dict(sorted(days.items()))

    def arrive(self, day: date, text: str | bytes, where="reconciled/psp_id=psp-1", name="s.csv"):
        body = text if isinstance(text, bytes) else text.encode()
        key = f"statements/{where}/date={day}/{name}"
        self.s3.put_object(Bucket=STATEMENTS, Key=key, Body=body)
        return key

    def arrive_all(self, **changed):
        for day, rows in self.operations().items():
            self.arrive(day, HEAD + "".join(changed.get(f"{day:%d}", rows)))

    def ends(self, _cut_at: datetime) -> dict[str, JournalPosition]:
        return {SHARD: self.position}

    def run(
        self,
        today: date = TODAY,
        look_back_days: int = 60,
        has_time=lambda: True,
        *,
        only_unfinished: bool = False,
    ):
        ports = ReconcilerPorts(
            lambda: NOON,
            self,
            self.journal,
            BankStatementBucket(self.s3, STATEMENTS),
            ComparisonBucket(self.s3, STATEMENTS),
        )
        return reconcile_new(ports, Morning(today, DAYS, look_back_days, only_unfinished), has_time)

    def report(self, key):
        return json.loads(self.s3.get_object(Bucket=STATEMENTS, Key=key)["Body"].read())
