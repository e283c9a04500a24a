"""The days that a run is about, and what arrived for them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from falcon_balances.adapters.bank_statements import BankStatementFile
from falcon_balances.domain.bank_statement_lines import BankStatementAccount, Period
from falcon_balances.domain.comparisons import AccountComparison, Comparisons


@dataclass(frozen=True, slots=True)
class Morning:
    """Statements of the last `look_back_days` are compared; dates may differ by `days`.
    `only_unfinished`: only of accounts that have no report of today.
    """

    today: date
    days: int
    look_back_days: int
    only_unfinished: bool = False

    @property
    def oldest(self) -> date:
        return self.today - timedelta(days=self.look_back_days)

    @property
    def since(self) -> date:
        """Operations of earlier days are in no statement that is compared."""
        return self.oldest - timedelta(days=self.days)

    def wanted_since(self, files: Sequence[BankStatementFile]) -> date:
        """The first day whose operations these recent statements can show."""
        return files[0].day - timedelta(days=self.days)


@dataclass(slots=True)
class Arrived:
    """Bank statements by account, the oldest first: the recent ones, and an older one if there is
    any; and how many keys name no account.
    """

    files: dict[BankStatementAccount, list[BankStatementFile]] = field(default_factory=dict)
    invalid: int = 0

    @classmethod
    def of(cls, keys: Iterable[tuple[str, str]]) -> "Arrived":
        files: dict[BankStatementAccount, list[BankStatementFile]] = defaultdict(list)
        invalid = 0
        for key, etag in keys:
            file = BankStatementFile.of(key, etag)
            if file is None:
                invalid += 1
            else:
                files[file.account].append(file)
        return cls({account: sorted(some) for account, some in sorted(files.items())}, invalid)

    def recent(self, account: BankStatementAccount, morning: Morning) -> list[BankStatementFile]:
        return [each for each in self.files[account] if each.day >= morning.oldest]

    def period(self, account: BankStatementAccount, morning: Morning) -> Period:
        """The period of an account's recent bank statements. A line at the period's edge may be in
        an older bank statement.
        """
        recent = self.recent(account, morning)
        since = recent[0].day
        if len(recent) < len(self.files[account]):
            since += timedelta(days=morning.days)
        return Period(since, morning.today)


def bring_up_to_date(said: Comparisons, arrived: Arrived, morning: Morning) -> None:
    """A comparison for each account with recent statements, and no others. What cannot go on
    begins anew: a statement was replaced, or an older one than the first one arrived.
    """
    known = {each.account: each for each in said.accounts}
    for each in said.accounts:
        each.forget_before(morning.oldest, morning.since)
    said.accounts = [
        _going_on(known.get(account), files, morning)
        or said.begin(account, morning.wanted_since(files), morning.days)
        for account in arrived.files
        if (files := arrived.recent(account, morning))
    ]


def _going_on(
    known: AccountComparison | None, files: Sequence[BankStatementFile], morning: Morning
) -> AccountComparison | None:
    etags: Mapping[str, str] = {each.key: each.etag for each in files}
    if known is None or not known.is_current(etags, morning.wanted_since(files), morning.days):
        return None
    return known


def unread(said: AccountComparison, files: Iterable[BankStatementFile]) -> list[BankStatementFile]:
    known = {each.key for each in said.statements.values()}
    return [each for each in files if each.key not in known]
