"""The reconciler: what arrived is compared with the journals, from where the last run ended."""

from datetime import date, timedelta

import pytest
from moto import mock_aws

from falcon_balances.adapters.bank_statements import BankStatementBucket
from falcon_balances.adapters.comparison_files import ComparisonBucket
from falcon_balances.contracts import bank_statements as contracts
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.fakes.journal import MemoryJournal
from lambdas.reconciler import reconciling
from tests.audit.sealed import objects
from tests.component.reconciling import DAYS, HEAD, STATEMENTS, TODAY, Buckets


def forbidden(*_arguments: object) -> None:
    raise AssertionError


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


def test_a_flawed_object_is_named_until_its_day_is_too_old(buckets):
    buckets.arrive_all()
    key = next(each for each in buckets.log if each.startswith("reconciled/"))
    buckets.count({key: buckets.log[key].replace(b".", b",", 1)})
    for _ in range(2):
        assert buckets.run().flawed == [key]
    assert buckets.run(today=TODAY + timedelta(days=100), look_back_days=15).flawed == []


def test_an_object_without_its_form_counts_nowhere(buckets):
    buckets.arrive_all()
    key = next(each for each in buckets.log if each.startswith("reconciled/"))
    buckets.journal, buckets.position = MemoryJournal(), BEGINNING
    buckets.count({**buckets.log, key: buckets.log[key].replace(b".", b",", 1)})
    assert buckets.run().open == 1


def test_a_run_goes_on_and_reads_neither_pages_nor_statements_again(buckets, monkeypatch):
    buckets.arrive_all(**{"07": []})
    first = buckets.run()
    buckets.journal.interrupt = forbidden
    monkeypatch.setattr(BankStatementBucket, "read", forbidden)
    assert buckets.run() == first
    assert first.open == 2


def test_what_was_read_counts_once_if_it_is_published_again(buckets):
    buckets.arrive_all()
    assert buckets.run().open == 0
    buckets.count(buckets.log)
    run = buckets.run()
    assert (run.matched, run.open) == (60, 0)


def test_what_is_published_again_with_a_difference_is_named_and_moves_no_position(buckets):
    buckets.arrive_all()
    buckets.run()
    last = ComparisonBucket(buckets.s3, STATEMENTS).last()
    buckets.count(objects(3, 2))
    with pytest.raises(IntegrityError, match="with a difference"):
        buckets.run()
    assert ComparisonBucket(buckets.s3, STATEMENTS).last() == last


def test_a_statement_that_was_replaced_begins_anew(buckets):
    buckets.arrive_all()
    buckets.run()
    day, rows = next(iter(buckets.operations().items()))
    buckets.arrive(day, HEAD + "".join(rows[1:]))
    assert buckets.run().open == 1
    buckets.arrive(day, HEAD + "".join(rows))
    run = buckets.run()
    assert (run.matched, run.open) == (60, 0)


def test_a_new_account_reads_from_the_day_before_its_first_statement(buckets):
    buckets.run(today=TODAY - timedelta(days=40))
    position = buckets.position
    buckets.count(objects(3, 2))
    buckets.arrive(TODAY, HEAD)
    reads: list[str] = []
    buckets.journal.interrupt = reads.append
    buckets.run()
    assert reads.count("before MemoryJournal.read") == 1
    assert buckets.position.number == position.number + 1


def test_an_account_that_begins_anew_holds_up_no_other_account_s_report(buckets):
    first = min(buckets.operations())
    for where in ("payout", "reconciled"):
        buckets.arrive(first, HEAD, where=where)
    buckets.run(today=TODAY - timedelta(days=1))
    for _ in range(10):
        buckets.count(buckets.log)
    for n in range(3):
        buckets.arrive(first, HEAD + "\n" * (n + 1), where="payout")
        buckets.count(buckets.log)
        left = iter(range(11))
        run = buckets.run(has_time=lambda left=left: next(left, None) is not None)
        assert not run.is_done
        assert run.reports == ["reports/reconciled/date=2026-11-03.json"]


def test_a_run_without_time_is_continued(buckets):
    buckets.arrive_all()
    runs = [buckets.run(has_time=lambda: False) for _ in range(40)]
    assert not runs[0].is_done
    assert not runs[0].reports
    done = next(run for run in runs if run.is_done)
    assert (done.matched, done.open) == (60, 0)


def test_a_run_for_what_is_unfinished_leaves_reported_accounts_alone(buckets, monkeypatch):
    buckets.arrive_all()
    first = buckets.run(only_unfinished=True)
    assert (first.matched, len(first.reports), first.is_done) == (60, 1, True)
    last = ComparisonBucket(buckets.s3, STATEMENTS).last()
    buckets.count(buckets.log)
    again = buckets.run(only_unfinished=True)
    assert (again.reports, again.is_done) == ([], True)
    assert ComparisonBucket(buckets.s3, STATEMENTS).last() == last
    buckets.arrive(TODAY, HEAD, where="reconciled/psp_id=psp-2")
    other = buckets.run(only_unfinished=True)
    assert other.reports == ["reports/reconciled/psp_id=psp-2/date=2026-11-03.json"]
    tomorrow = buckets.run(today=TODAY + timedelta(days=1), only_unfinished=True)
    assert (len(tomorrow.reports), tomorrow.matched) == (2, 60)


@pytest.mark.parametrize("damage", ["missing", "forged", "cut"])
def test_a_page_that_is_not_the_reducer_s_is_named_and_no_position_moves(buckets, damage):
    buckets.arrive_all()
    buckets.run()
    files = ComparisonBucket(buckets.s3, STATEMENTS)
    last = files.last()
    buckets.count(buckets.log)
    key = max(buckets.journal.objects)
    body = buckets.journal.objects.pop(key)
    if damage != "missing":
        forged = body.replace(b"EUR", b"USD") if damage == "forged" else body[:-10]
        buckets.journal.objects[key] = forged
    with pytest.raises(IntegrityError, match=buckets.position.digest):
        buckets.run()
    assert files.last() == last
    buckets.journal.objects[key] = body
    assert buckets.run().is_done


def test_files_that_are_not_the_reconciler_s_are_named(buckets):
    buckets.run()
    last = ComparisonBucket(buckets.s3, STATEMENTS).last()
    assert last is not None
    name, _ = last
    buckets.s3.put_object(Bucket=STATEMENTS, Key=name, Body=b"{}")
    with pytest.raises(IntegrityError, match=name):
        buckets.run()
