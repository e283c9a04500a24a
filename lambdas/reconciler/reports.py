"""The report of one account: what is open, and how much matches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any, Final

from falcon_balances.contracts.case_texts import CaseTexts
from falcon_balances.contracts.reconciliation_report import report
from falcon_balances.domain.bank_statement_lines import Period
from falcon_balances.domain.cases import Case, Tally, differences, total
from falcon_balances.domain.comparisons import AccountComparison
from falcon_balances.domain.reconciliation import Reconciliation, UnmatchedItem, item_order

_CASES_AT_ONCE: Final = 10_000


@dataclass(slots=True)
class _Found:
    """`tally`: of lines that match, in cases that are open for another reason."""

    tally: Tally = field(default_factory=Tally)
    items: list[UnmatchedItem] = field(default_factory=list)


def found_open(said: AccountComparison, period: Period) -> Reconciliation:
    """Compares all open cases again, and forgets those that are too old to be in a report."""
    texts = CaseTexts(said.account.stage, said.statements)
    found = _Found()
    unique = iter(sorted(set(said.open.values())))
    while some := list(islice(unique, _CASES_AT_ONCE)):
        cases = [texts.read(each) for each in some]
        _compare(said, [case for case in cases if not _forget(said, case)], period, found)
    everything = total([*said.tallies.values(), found.tally])
    sums = {code: minor for code, minor in sorted(everything.sums.items()) if minor}
    return Reconciliation(everything.lines, sums, sorted(found.items, key=item_order))


def _compare(said: AccountComparison, cases: Iterable[Case], period: Period, found: _Found) -> None:
    live = list(cases)
    places = {
        line.line.place for case in live for line in case.lines.values()
        if line.statement in said.statements
    }  # fmt: skip
    pairs, items = differences(live, said.days)
    for line in pairs:
        if line.place in places:
            found.tally.add(line)
    found.items += [
        each
        for each in items
        if each.is_expected(period) and (each.theirs is None or each.theirs.place in places)
    ]


def _forget(said: AccountComparison, case: Case) -> bool:
    """Whether the case is too old; then it is not open any more."""
    lines = any(each.statement in said.statements for each in case.lines.values())
    if lines or any(each.operation.day >= said.since for each in case.parts.values()):
        return False
    for key in case.keys:
        said.open.pop(key, None)
    return True


def document(
    said: AccountComparison, found: Reconciliation, period: Period, today: date
) -> dict[str, Any]:
    statements = sorted(said.statements.values(), key=lambda each: (each.day, each.key))
    return {
        "from": None if period.since is None else period.since.isoformat(),
        "to": None if period.until is None else period.until.isoformat(),
        "statements": [each.key for each in statements],
        "invalid": list(_invalid(each.problems for each in statements)),
        **report(found, today, said.days),
    }


def _invalid(problems: Iterable[Sequence[tuple[str, str]]]) -> Iterator[dict[str, str]]:
    for some in problems:
        yield from ({"place": place, "reason": reason} for place, reason in some)
