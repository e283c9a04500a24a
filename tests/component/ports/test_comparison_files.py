"""What the bucket of bank statements does, in memory and in S3: statements, and the reconciler's
own files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.bank_statements import BankStatementBucket
from falcon_balances.adapters.comparison_files import ComparisonBucket, comparisons_key
from falcon_balances.adapters.comparison_ports import BankStatements, ComparisonFiles
from falcon_balances.domain.bank_statement_lines import BankStatementAccount
from falcon_balances.domain.operations import Stage
from falcon_balances.fakes.comparisons import MemoryBankStatements, MemoryComparisonFiles
from tests.component.world import AwsWorld

BUCKET: Final = "falcon-statements"
REGION: Final = "eu-central-1"


@dataclass(frozen=True, slots=True)
class ArrivingStatements:
    port: BankStatements
    arrive: Callable[[str, bytes], object]


@pytest.fixture
def bucket(world: AwsWorld | None) -> str | None:
    if world is None:
        return None
    client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return BUCKET


@pytest.fixture
def comparison_files(bucket: str | None) -> ComparisonFiles:
    return MemoryComparisonFiles() if bucket is None else ComparisonBucket(client("s3"), bucket)


@pytest.fixture
def bank_statements(bucket: str | None) -> ArrivingStatements:
    if bucket is None:
        fake = MemoryBankStatements()
        return ArrivingStatements(fake, fake.files.__setitem__)

    def arrive(key: str, body: bytes) -> None:
        client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    return ArrivingStatements(BankStatementBucket(client("s3"), bucket), arrive)


def test_the_last_comparisons_are_those_with_the_highest_number(comparison_files):
    assert comparison_files.last() is None
    for number in (1, 2, 10):
        assert comparison_files.append(number, b"%d" % number)
    assert comparison_files.last() == (comparisons_key(10), b"10")


def test_a_number_is_written_once_and_again_only_with_the_same_bytes(comparison_files):
    assert comparison_files.append(1, b"first")
    assert comparison_files.append(1, b"first")
    assert not comparison_files.append(1, b"other")
    assert comparison_files.last() == (comparisons_key(1), b"first")


def test_settled_cases_are_read_in_pieces_and_never_change(comparison_files):
    comparison_files.settle("name", b"0123456789")
    comparison_files.settle("name", b"other")
    assert comparison_files.read_settled("name", 0, 3) == b"012"
    assert comparison_files.read_settled("name", 8, 10) == b"89"


def test_statements_are_listed_with_what_changes_if_they_do(bank_statements):
    key = "statements/reconciled/date=2026-11-20/a.csv"
    bank_statements.arrive(key, b"first")
    [(name, first)] = bank_statements.port.keys(date(2026, 11, 20))
    assert name == key
    assert bank_statements.port.read(key, 3) == b"firs"
    bank_statements.arrive(key, b"second")
    [(_, second)] = bank_statements.port.keys(date(2026, 11, 20))
    assert second != first
    assert bank_statements.port.read(key, 10) == b"second"


def test_recent_statements_are_listed_and_one_older_and_what_lies_elsewhere(bank_statements):
    folders = ("statements/reconciled", "statements/payout/psp_id=psp-1")
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(300)]
    keys = [f"{folder}/date={day}/a.csv" for folder in folders for day in days]
    strays = ["statements/a.csv", "statements/payout/psp_id=psp-1/x.csv", "statements/payout/b.csv"]
    for key in (*keys, *strays):
        bank_statements.arrive(key, b"")
    listed = {key for key, _ in bank_statements.port.keys(days[-3])}
    recent = {f"{folder}/date={day}/a.csv" for folder in folders for day in days[-3:]}
    assert listed >= {*recent, *strays, *(f"{folder}/date={days[0]}/a.csv" for folder in folders)}
    assert len(listed) < len(keys)


def test_a_report_has_the_account_and_the_day_in_its_key(bank_statements):
    account = BankStatementAccount(Stage.PAYOUT, "psp-1")
    for matched in (1, 2):
        key = bank_statements.port.report(account, date(2026, 11, 20), {"matched": matched})
    assert key == "reports/payout/psp_id=psp-1/date=2026-11-20.json"
