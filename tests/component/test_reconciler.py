"""The reconciler on S3: what arrived is set against the log, and no run remembers another."""

import json
from datetime import date, timedelta
from typing import Final

import boto3
import pytest
from moto import mock_aws

from falcon_balances.adapters import log_days
from falcon_balances.adapters.bank_statements import BankStatementBucket
from falcon_balances.adapters.log_days import LogDays
from falcon_balances.contracts import bank_statements as contracts
from falcon_balances.contracts.currencies import scaled
from falcon_balances.domain.log_format import logged_segment
from falcon_balances.domain.logged_operations import logged_operations
from falcon_balances.domain.operations import Stage
from lambdas.reconciler import reconciling
from lambdas.reconciler.reconciling import reconcile_all
from tests.audit.sealed import objects

LOG, STATEMENTS = "log-bucket", "statement-bucket"
REGION: Final = "eu-central-1"
HEAD = "reference,amount,currency,date\n"
TODAY = date(2026, 11, 3)
DAYS = 3


class Buckets:
    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name=REGION)
        for bucket in (LOG, STATEMENTS):
            self.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        self.log = objects(60, 7)
        for key, body in self.log.items():
            self.s3.put_object(Bucket=LOG, Key=key, Body=body)

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

    def run(self, today: date = TODAY, look_back_days: int = 60):
        return reconcile_all(
            BankStatementBucket(self.s3, STATEMENTS),
            LogDays(self.s3, LOG),
            today=today,
            days=DAYS,
            look_back_days=look_back_days,
        )

    def report(self, key):
        return json.loads(self.s3.get_object(Bucket=STATEMENTS, Key=key)["Body"].read())


@pytest.fixture
def buckets(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Buckets()


def said(report):
    return [(each["difference"], each["reference"], each["overdue"]) for each in report["open"]]


def test_a_statement_for_each_day_matches_wholly(buckets):
    buckets.arrive_all()
    run = buckets.run()
    assert (run.matched, run.open, run.overdue, run.invalid, run.flawed) == (60, 0, 0, 0, [])
    assert run.reports == ["reports/reconciled/psp_id=psp-1/date=2026-11-03.json"]
    report = buckets.report(run.reports[0])
    assert (report["matched"], report["from"], report["to"]) == (60, "2026-10-01", "2026-11-03")
    assert len(report["statements"]) == len(buckets.operations())


def test_what_differs_is_in_the_report_and_counts(buckets):
    rows = buckets.operations()[date(2026, 10, 5)]
    reference, amount, rest = rows[0].split(",", 2)
    buckets.arrive_all(
        **{"05": [f"{reference},{amount}9,{rest}".replace(f"{amount}9", "0.01"), *rows[1:]]}
    )
    run = buckets.run()
    assert (run.open, run.overdue) == (1, 1)
    assert said(buckets.report(run.reports[0])) == [("different_amount", reference, True)]


def test_what_is_missing_at_the_end_has_some_days_before_it_counts(buckets):
    operations = buckets.operations()
    last = max(operations)
    for day, rows in operations.items():
        if day < last:
            buckets.arrive(day, HEAD + "".join(rows))
    run = buckets.run(today=last + timedelta(days=1))
    assert (run.open, run.overdue) == (len(operations[last]), 0)
    # Nothing more arrives: whoever stopped sending is noticed by what is not there.
    run = buckets.run(today=last + timedelta(days=DAYS + 1))
    assert run.overdue == len(operations[last])


def test_what_came_late_closes_what_was_open(buckets):
    buckets.arrive_all(**{"07": []})
    assert buckets.run().open == 2
    day = date(2026, 10, 7)
    buckets.arrive(day, HEAD + "".join(buckets.operations()[day]), name="again.csv")
    assert buckets.run().open == 0


def test_statements_of_long_ago_are_left_alone_and_the_edge_raises_no_alarm(buckets):
    buckets.arrive_all()
    run = buckets.run(look_back_days=15)
    report = buckets.report(run.reports[0])
    assert report["from"] == "2026-10-22"
    assert 0 < run.matched < 60
    assert run.open == 0
    assert buckets.run(today=TODAY + timedelta(days=100), look_back_days=15).reports == []


def test_a_bank_shows_every_psp_s_and_each_account_has_its_report(buckets):
    everything = "".join(row for rows in buckets.operations().values() for row in rows)
    first = min(buckets.operations())
    buckets.arrive(first, HEAD + everything, where="reconciled")
    buckets.arrive(first, HEAD, where="reconciled/psp_id=psp-2")
    buckets.arrive(first, HEAD, where="payout")
    run = buckets.run()
    assert run.reports == [
        "reports/payout/date=2026-11-03.json",
        "reports/reconciled/date=2026-11-03.json",
        "reports/reconciled/psp_id=psp-2/date=2026-11-03.json",
    ]
    assert (run.matched, run.open) == (60, 0)


@pytest.mark.parametrize(
    ("where", "name", "body"),
    [
        ("reconciled", "s.csv", "reference;amount\n"),
        ("reconciled", "s.csv", HEAD + "a,1.00,EUR,yesterday\n"),
        ("reconciled", "s.xml", "<a/>"),
        ("reconciled", "s.csv", b"\xff\xfe\x00"),
        ("settled", "s.csv", HEAD),
        ("reconciled/psp_id=../x", "s.csv", HEAD),
    ],
)
def test_what_cannot_be_read_is_named_and_holds_up_nothing_else(buckets, where, name, body):
    buckets.arrive_all()
    key = buckets.arrive(date(2026, 10, 5), body, where=where, name=name)
    run = buckets.run()
    assert (run.matched, run.invalid) == (60, 1)
    named = [
        problem["place"] for each in run.reports for problem in buckets.report(each)["invalid"]
    ]
    if where == "reconciled":
        assert len(named) == 1
        assert named[0].startswith(key)


def test_a_day_that_is_none_and_a_file_that_is_too_large_are_named(buckets, monkeypatch):
    buckets.s3.put_object(
        Bucket=STATEMENTS, Key="statements/reconciled/date=2026-02-30/s.csv", Body=HEAD.encode()
    )
    for module in (contracts, reconciling):
        monkeypatch.setattr(module, "BANK_STATEMENT_BYTES_MAX", 100)
    buckets.arrive(date(2026, 10, 5), HEAD * 10)
    assert buckets.run().invalid == 2


def test_an_object_too_large_for_the_log_is_named_and_not_held(buckets, monkeypatch):
    buckets.arrive_all()
    key = next(each for each in buckets.log if each.startswith("reconciled/"))
    monkeypatch.setattr(log_days, "_OBJECT_BYTES_MAX", 1_000)
    again = buckets.log[key] + buckets.log[key].split(b"\n", 1)[1] * 10
    buckets.s3.put_object(Bucket=LOG, Key=key, Body=again)
    assert buckets.run().flawed == [key]


def test_a_flawed_object_of_the_log_is_named(buckets):
    buckets.arrive_all()
    key = next(each for each in buckets.log if each.startswith("reconciled/"))
    buckets.s3.put_object(Bucket=LOG, Key=key, Body=buckets.log[key].replace(b".", b",", 1))
    run = buckets.run()
    assert run.flawed == [key]
    assert run.open == 1
