"""How far an account's comparison is, where a new one begins, and what is read next."""

from datetime import date, timedelta

from falcon_balances.domain.bank_statement_lines import BankStatementAccount
from falcon_balances.domain.comparisons import (
    AccountComparison,
    ComparedBankStatement,
    Comparisons,
    foremost,
)
from falcon_balances.domain.journal import JournalPosition
from falcon_balances.domain.operations import Stage

DAY = date(2026, 11, 1)
ACCOUNT = BankStatementAccount(Stage.RECONCILED)
OTHER = BankStatementAccount(Stage.RECONCILED, "psp-1")


def at(number: int) -> dict[str, JournalPosition]:
    return {"shard": JournalPosition(number, f"{number:064x}")}


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def every_day(days: int, kept: int) -> Comparisons:
    said = Comparisons()
    for n in range(days):
        said.pass_day(after(n), at(n + 1), after(n - kept))
    return said


def test_few_days_are_kept_and_a_comparison_of_any_of_them_begins_before_it():
    said = every_day(400, kept=38)
    assert len(said.day_starts) == 41
    for n in (361, 380, 399):
        assert said.begin(ACCOUNT, after(n), 3).positions == at(n - 2 + 1)


def test_the_second_run_of_a_day_changes_no_start():
    said = every_day(3, kept=38)
    said.pass_day(after(2), at(9), after(0))
    assert said.day_starts[after(2)] == at(3)


def test_who_looks_back_further_than_any_run_reads_from_the_beginning():
    assert every_day(3, kept=38).begin(ACCOUNT, after(1), 3).positions == {}


def test_a_comparison_that_begins_anew_is_read_last_and_from_day_to_day():
    said = every_day(6, kept=38)
    ahead, anew = AccountComparison(ACCOUNT, DAY, 3, at(6)), said.begin(OTHER, after(3), 3)
    assert foremost([anew, ahead]) == [ahead]
    stops: list[int] = []
    while (until := said.stop_after(anew.positions, at(8))) is not None:
        anew.positions = dict(until)
        stops.append(until["shard"].number)
    assert stops == [3, 4, 5, 6, 8]


def test_comparisons_at_the_same_positions_are_read_together():
    both = [AccountComparison(each, DAY, 3, at(6)) for each in (ACCOUNT, OTHER)]
    assert foremost(both) == both


def test_a_statement_that_changed_or_went_or_came_earlier_ends_a_comparison():
    said = AccountComparison(ACCOUNT, DAY, 3, {})
    said.add_statement(ComparedBankStatement("key", "etag", after(3)))
    assert said.is_current({"key": "etag", "new": "etag"}, DAY, 3)
    assert not said.is_current({"key": "other"}, DAY, 3)
    assert not said.is_current({}, DAY, 3)
    assert not said.is_current({"key": "etag"}, after(-1), 3)
    assert not said.is_current({"key": "etag"}, DAY, 4)


def test_a_statement_never_gets_the_number_of_one_that_was_forgotten():
    said = AccountComparison(ACCOUNT, DAY, 3, {})
    for n in (5, 0):
        said.add_statement(ComparedBankStatement(f"key-{n}", "etag", after(n)))
    said.forget_before(after(1), DAY)
    assert said.add_statement(ComparedBankStatement("new", "etag", after(6))) == 3
    assert sorted(said.statements) == [1, 3]
