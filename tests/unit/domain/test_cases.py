"""References that lines link, and what a case that goes on keeps."""

from datetime import date, timedelta

from falcon_balances.domain.bank_statement_lines import BankStatementLine
from falcon_balances.domain.cases import Case, CaseLine, Links, Member
from falcon_balances.domain.logged_operations import LoggedOperation, OperationPart
from falcon_balances.domain.operations import Stage


class _Counted(dict[int, int]):
    gets = 0

    def get(self, key, default=None):
        self.gets += 1
        return super().get(key, default)


def test_all_keys_of_a_chain_have_its_smallest_as_their_root():
    links = Links()
    for key in range(20, 0, -1):
        links.link([key, key - 1])
    assert {links.root(key) for key in range(21)} == {0}
    assert links.root(99) == 99


def test_a_chain_of_links_is_near_linear():
    links, length = Links(), 20_000
    counted = links._parents = _Counted()
    for key in range(length, 0, -1):
        links.link([key, key - 1])
    for key in range(length + 1):
        links.root(key)
    assert counted.gets < 10 * length


def pair(n: int, day: date) -> list[Member]:
    """An operation and the line that shows it, both under the one reference of every day."""
    operation = LoggedOperation("daily", "psp", 100, "EUR", day, f"o-{n}", Stage.RECONCILED)
    line = BankStatementLine(f"s-{n}:2", ("daily",), None, 100, "EUR", day)
    return [OperationPart(operation), CaseLine(line, n)]


def test_a_case_that_goes_on_keeps_what_recent_members_can_match_and_no_more():
    case, first = Case(), date(2026, 11, 1)
    for n in range(60):
        for member in pair(n, first + timedelta(days=n)):
            case.add(member)
    since = first + timedelta(days=40)
    kept = case.without_old(range(43, 60), since, days=3)
    assert {each.operation.day for each in kept.parts.values()} == {
        first + timedelta(days=n) for n in range(37, 60)
    }
    assert {each.statement for each in kept.lines.values()} == set(range(37, 60))
    assert kept.without_old(range(43, 60), since, days=3) == kept


def test_a_case_of_which_everything_is_old_stays_whole():
    case = Case()
    for member in pair(1, date(2026, 11, 1)):
        case.add(member)
    assert case.without_old((), date(2026, 12, 1), days=3) == case
