"""The log as a journal for hledger or beancount, which then confirm every balance by themselves.

Postings follow the chart of accounts; the assertions, one per balance and day, are the figures that
our own counting gives. So the two agree only where both are right.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol, TextIO

from falcon_balances.audit.balances import BalanceId, currency_of
from falcon_balances.audit.log_objects import Foreign, LogSource, Selection
from falcon_balances.audit.replay import FLAWED, FOREIGN, Finding, repeated_lines, repetition
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.accounts import OF_MERCHANTS, Account, postings
from falcon_balances.domain.counting import add_to, counters_of
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import BalanceOperation, Segment, main_line

# The counter that is the balance of an account, with the other sign: money owed is a credit.
_COUNTED: Final = {Account.MERCHANT_PENDING: "pending", Account.MERCHANT_AVAILABLE: "available"}
_HELD_MAX: Final = 64 << 20

Counters = dict[str, int]
Posting = tuple[Account, BalanceId, str]


class Dialect(Protocol):
    """How a tool wants things written. Amounts are at full scale, debits positive."""

    def heading(self, balances: Mapping[BalanceId, date]) -> str:
        """`balances` with the day of their first movement."""

    def transaction(self, segment: Segment, moved: list[Posting]) -> str: ...

    def assertion(self, day: date, account: Account, balance: BalanceId, amount: str) -> str:
        """What the account's balance is when the day is over."""


def write_journal(
    source: LogSource,
    selection: Selection,
    dialect: Dialect,
    file: TextIO,
    advance: Callable[[int], None] = lambda _objects: None,
) -> list[Finding]:
    """Day after day, each closed by its assertions. What is flawed is left out, and what repeats
    another line, and both are told. The log is read twice.
    """
    findings: list[Finding] = []
    left_out: set[tuple[str, int]] = set()
    for lines in repeated_lines(source, selection):
        first, *others = sorted(lines)
        findings += [repetition(first, line) for line in others]
        left_out |= {(line.key, line.number) for line in others}
    added: dict[str, dict[BalanceId, Counters]] = {}
    with TemporaryDirectory(prefix="falcon-journal-") as folder:
        texts = _TextsByDay(Path(folder))
        for segment in _segments(source, selection, left_out, findings, advance):
            day = _day_of(segment)
            for line in segment.lines:
                counters = added.setdefault(day, {}).setdefault(_balance_of(segment, line), {})
                add_to(counters, counters_of(segment.stage, line))
            texts.add(day, dialect.transaction(segment, _postings(segment)))
        file.write(dialect.heading(_first_days(added)))
        so_far: dict[BalanceId, Counters] = {}
        for name in sorted(added):
            file.writelines(texts.of(name))
            for balance, counters in sorted(added[name].items()):
                add_to(so_far.setdefault(balance, {}), counters)
                file.writelines(
                    _assertions(dialect, date.fromisoformat(name), balance, so_far[balance])
                )
    return sorted(findings)


def _segments(
    source: LogSource,
    selection: Selection,
    left_out: Container[tuple[str, int]],
    findings: list[Finding],
    advance: Callable[[int], None],
) -> Iterator[Segment]:
    """Without the lines that are `left_out`, by key and number."""
    for batch in source.batches(selection):
        if isinstance(batch, Foreign):
            findings.append(Finding(batch.key, FOREIGN, batch.reason))
            continue
        for name, body in zip(batch.names, batch.bodies, strict=True):
            key = f"{batch.partition}/{name}"
            try:
                segment = read_strictly(key, body)
            except FlawedObjectError as flaw:
                findings.append(Finding(key, FLAWED, str(flaw)))
                continue
            numbered = enumerate(segment.lines, start=2)
            lines = tuple(line for number, line in numbered if (key, number) not in left_out)
            if lines:
                yield replace(segment, lines=lines)
        advance(len(batch.names))


def _day_of(segment: Segment) -> str:
    """Four digits of a year, always: strftime gives fewer to years before 1000."""
    return rfc3339(segment.booked_at)[:10]


def _next(day: date) -> date:
    return day if day == date.max else day + timedelta(days=1)


def _balance_of(segment: Segment, line: BalanceOperation) -> BalanceId:
    return BalanceId(segment.merchant_id, line.balance_shop_id, line.currency.code)


def _postings(segment: Segment) -> list[Posting]:
    return [
        (account, _balance_of(segment, line), at_full_scale(minor, line.currency.exponent))
        for line in segment.lines
        for account, minor in postings(segment.stage, line.type, line.amount.minor)
    ]


def _first_days(added: Mapping[str, Mapping[BalanceId, Counters]]) -> dict[BalanceId, date]:
    first: dict[BalanceId, date] = {}
    for day in sorted(added, reverse=True):
        first |= dict.fromkeys(added[day], date.fromisoformat(day))
    return first


def _assertions(
    dialect: Dialect, day: date, balance: BalanceId, counters: Counters
) -> Iterator[str]:
    exponent = currency_of(balance).exponent
    for account, counter in _COUNTED.items():
        amount = at_full_scale(-counters.get(counter, 0), exponent)
        yield dialect.assertion(day, account, balance, amount)


class _TextsByDay:
    """Held in memory up to a bound, and then in a file for each day."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, list[str]] = {}
        self._size = 0

    def add(self, day: str, text: str) -> None:
        self._held.setdefault(day, []).append(text)
        self._size += len(text)
        if self._size > _HELD_MAX:
            for name, texts in self._held.items():
                with (self._folder / name).open("a", encoding="utf-8") as file:
                    file.writelines(texts)
            self._held, self._size = {}, 0

    def of(self, day: str) -> Iterator[str]:
        if (self._folder / day).exists():
            with (self._folder / day).open(encoding="utf-8") as file:
                yield from file
        yield from self._held.get(day, [])


class Hledger:
    """For `hledger check`; 1.25 and later."""

    _NAMES: Final = {
        Account.BANK: "assets:bank",
        Account.PSP_CLEARING: "assets:psp clearing",
        Account.MERCHANT_PENDING: "liabilities:pending",
        Account.MERCHANT_AVAILABLE: "liabilities:available",
        Account.PAYOUTS_IN_TRANSIT: "liabilities:payouts in transit",
        Account.MARKETPLACE_FEES: "liabilities:marketplace fees",
        Account.FEE_INCOME: "revenues:fees",
        Account.ADJUSTMENTS: "expenses:adjustments",
    }

    def heading(self, balances: Mapping[BalanceId, date]) -> str:
        exponents = {each.currency: currency_of(each).exponent for each in balances}
        lines = ["decimal-mark ."]
        for code, exponent in sorted(exponents.items()):
            # Without decimals hledger wants the mark all the same.
            sample = at_full_scale(10 ** (exponent + 3), exponent) + ("" if exponent else ".")
            lines.append(f"commodity {sample} {code}")
        lines += sorted(
            {
                f"account {self._account(account, balance)}"
                for balance in balances
                for account in Account
            }
        )
        return "\n".join(lines) + "\n"

    def transaction(self, segment: Segment, moved: list[Posting]) -> str:
        main = main_line(segment.lines)
        lines = [
            f"\n{_day_of(segment)} ({main.external_reference}) {main.type}",
            f"    ; stage:{segment.stage}, falcon_operation_id:{main.falcon_operation_id}",
        ]
        lines += [
            f"    {self._account(account, balance)}  {amount} {balance.currency}"
            for account, balance, amount in moved
        ]
        return "\n".join(lines) + "\n"

    def assertion(self, day: date, account: Account, balance: BalanceId, amount: str) -> str:
        name, code = self._account(account, balance), balance.currency
        return f"\n{day} balance\n    {name}  0 {code} = {amount} {code}\n"

    def _account(self, account: Account, balance: BalanceId) -> str:
        name = self._NAMES[account]
        if account not in OF_MERCHANTS:
            return name
        # An id may hold a colon, which would make an account below another.
        merchant, shop = (
            each.replace(":", "%3A") for each in (balance.merchant_id, balance.balance_shop_id)
        )
        return f"{name}:{merchant}:{shop}"


class Beancount:
    """For `bean-check`; 3 and later."""

    _NAMES: Final = {
        Account.BANK: "Assets:Bank",
        Account.PSP_CLEARING: "Assets:PspClearing",
        Account.MERCHANT_PENDING: "Liabilities:Pending",
        Account.MERCHANT_AVAILABLE: "Liabilities:Available",
        Account.PAYOUTS_IN_TRANSIT: "Liabilities:PayoutsInTransit",
        Account.MARKETPLACE_FEES: "Liabilities:MarketplaceFees",
        Account.FEE_INCOME: "Income:Fees",
        Account.ADJUSTMENTS: "Expenses:Adjustments",
    }

    def heading(self, balances: Mapping[BalanceId, date]) -> str:
        if not balances:
            return ""
        first = min(balances.values())
        lines = [
            f"{first} open {self._NAMES[each]}" for each in Account if each not in OF_MERCHANTS
        ]
        opened: dict[str, tuple[date, BalanceId]] = {}
        for balance, day in sorted(balances.items(), key=lambda each: (each[1], each[0])):
            for account in sorted(OF_MERCHANTS):
                opened.setdefault(self._account(account, balance), (day, balance))
        for name, (day, balance) in opened.items():
            lines += [
                f"{day} open {name}",
                f'  merchant_id: "{balance.merchant_id}"',
                f'  balance_shop_id: "{balance.balance_shop_id}"',
            ]
        return "\n".join(lines) + "\n"

    def transaction(self, segment: Segment, moved: list[Posting]) -> str:
        main = main_line(segment.lines)
        lines = [
            f'\n{_day_of(segment)} * "{main.type}" "{main.external_reference}"',
            f'  stage: "{segment.stage}"',
            f'  falcon_operation_id: "{main.falcon_operation_id}"',
        ]
        lines += [
            f"  {self._account(account, balance)}  {amount} {balance.currency}"
            for account, balance, amount in moved
        ]
        return "\n".join(lines) + "\n"

    def assertion(self, day: date, account: Account, balance: BalanceId, amount: str) -> str:
        """Beancount's is of the morning, and forgives a cent unless told not to."""
        name = self._account(account, balance)
        return f"\n{_next(day)} balance {name}  {amount} ~ 0 {balance.currency}\n"

    def _account(self, account: Account, balance: BalanceId) -> str:
        name = self._NAMES[account]
        if account not in OF_MERCHANTS:
            return name
        return f"{name}:M{_component(balance.merchant_id)}:B{_component(balance.balance_shop_id)}"


def _component(text: str) -> str:
    """Letters and digits as they are, everything else by its number: no two ids become one."""
    return "".join(each if each.isalnum() else f"-{ord(each):02X}-" for each in text)
