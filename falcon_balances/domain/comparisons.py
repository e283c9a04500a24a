"""Comparisons: how far bank statements and log were compared, account by account, and what is open.

Everything here follows from the journals and the bank statements, so a comparison that is lost, or
cannot be continued, begins anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, NamedTuple

from falcon_balances.domain.bank_statement_lines import BankStatementAccount
from falcon_balances.domain.cases import CaseKey, Links, Tally
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from falcon_balances.domain.log_keys import LogKey
from falcon_balances.domain.logged_operations import LoggedOperation

Positions = Mapping[str, JournalPosition]

# An operation can be counted shortly before the day that it names (15 minutes: E_FUTURE).
_EARLIER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ComparedBankStatement:
    """A bank statement that was read. `problems`: place and reason, if it was refused."""

    key: str
    etag: str
    day: date
    problems: Sequence[tuple[str, str]] = ()


class SettledCases(NamedTuple):
    """A file of cases that a run settled on `day`; `entries`: one for each key of each case."""

    name: str
    entries: int
    day: date


@dataclass(slots=True)
class AccountComparison:
    """Of one account. It has the operations of days from `since` on, as the journals have them up
    to `positions`, and the lines of `statements`, which are by number.

    `next_statement`: a number that no statement had, because cases keep the lines of statements
    that are forgotten. `tallies`: of the settled lines of each statement. `open`: texts of cases by
    each of their keys. `settled`: the oldest first; in a later file, a case has everything that it
    has in an earlier one. `flawed`: log keys of objects that could not be read.

    `new_settled` and `new_keys`: what was folded in, and is not yet looked for in `settled`. A case
    that was open, or has settled since, has everything already.
    """

    account: BankStatementAccount
    since: date
    days: int
    positions: dict[str, JournalPosition]
    statements: dict[int, ComparedBankStatement] = field(default_factory=dict)
    tallies: dict[int, Tally] = field(default_factory=dict)
    next_statement: int = 1
    flawed: list[str] = field(default_factory=list)
    settled: list[SettledCases] = field(default_factory=list)
    open: dict[CaseKey, bytes] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    new_settled: list[SettledCases] = field(default_factory=list)
    new_keys: set[CaseKey] = field(default_factory=set)

    def concerns(self, said: LoggedOperation) -> bool:
        """Whether bank statements of this account can show the operation."""
        stage, psp_id = self.account.stage, self.account.psp_id
        return said.stage is stage and psp_id in ("", said.psp_id) and said.day >= self.since

    def add_statement(self, statement: ComparedBankStatement) -> int:
        """The statement's number."""
        number, self.next_statement = self.next_statement, self.next_statement + 1
        self.statements[number] = statement
        self.tallies[number] = Tally()
        return number

    def add_flawed(self, log_key: str) -> None:
        key = LogKey.parse(log_key)
        is_asked_for = key.stage is self.account.stage and key.day >= str(self.since)
        if is_asked_for and log_key not in self.flawed:
            self.flawed.append(log_key)

    def forget_before(self, oldest: date, since: date) -> None:
        """Statements of days before `oldest`; operations, and files of cases, before `since`.

        An operation is settled on its day or later. So the cases of all operations that a
        statement can still show, or the journals can still repeat, are in a file that is kept.
        """
        for number, each in list(self.statements.items()):
            if each.day < oldest:
                del self.statements[number], self.tallies[number]
        self.since = max(self.since, since)
        self.settled = [each for each in self.settled if each.day >= since]
        self.flawed = [each for each in self.flawed if LogKey.parse(each).day >= str(since)]

    def is_current(self, arrived: Mapping[str, str], wanted_since: date, days: int) -> bool:
        """Whether it can go on: no statement that it has was changed or removed, or is missing in
        `arrived` (ETags by key); no statement wants operations of earlier days.
        """
        same = all(arrived.get(each.key) == each.etag for each in self.statements.values())
        return same and self.days == days and wanted_since >= self.since


@dataclass(slots=True)
class Comparisons:
    """All that the reconciler keeps. `day_starts`: how far the journals were, by the first run of
    each day. `number`: how often it was written.
    """

    number: int = 0
    day_starts: dict[date, Positions] = field(default_factory=dict)
    accounts: list[AccountComparison] = field(default_factory=list)

    def pass_day(self, today: date, ends: Positions, oldest: date) -> None:
        """Notes how far the journals are, and forgets all days before the last one that a
        comparison of days from `oldest` on can begin with.
        """
        self.day_starts.setdefault(today, dict(ends))
        earlier = [day for day in self.day_starts if day < oldest - _EARLIER]
        last = max(earlier, default=date.min)
        self.day_starts = {day: at for day, at in self.day_starts.items() if day >= last}

    def begin(self, account: BankStatementAccount, since: date, days: int) -> AccountComparison:
        """A new comparison: from where the journals were before `since`, or from their beginning.

        A first run that looks back further than any run took place reads everything.
        """
        earlier = [day for day in self.day_starts if day < since - _EARLIER]
        start = self.day_starts[max(earlier)] if earlier else {}
        return AccountComparison(account, since, days, dict(start))

    def stop_after(self, positions: Positions, ends: Positions) -> Positions | None:
        """Where to read to next: a day's start, so that the names of a day's pages are in memory,
        or `ends`; None if the journals have nothing new.
        """
        stops = [at for _, at in sorted(self.day_starts.items(), key=lambda item: item[0])]
        return next((at for at in (*stops, ends) if is_beyond(at, positions)), None)


def foremost(accounts: Sequence[AccountComparison]) -> list[AccountComparison]:
    """The comparisons that are nearest to the journals' ends, all with the same positions.

    They are read first, so a comparison that begins anew holds up no other one. For this, pages
    are read once for each group, at most once for each account and day that is compared.
    """
    first = max(accounts, key=lambda each: sum(at.number for at in each.positions.values()))
    return [each for each in accounts if each.positions == first.positions]


def is_beyond(ends: Positions, positions: Positions) -> bool:
    """Also if a shard has another page with the same number: then reading it says so."""
    return any(
        end.number >= at.number and end != at
        for end, at in ((end, positions.get(shard, BEGINNING)) for shard, end in ends.items())
    )
