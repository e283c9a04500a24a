"""Writes the log as a journal for hledger or beancount, which then confirm every balance.

Postings follow the chart of accounts: the changes of each object, day by day. The assertions, one
per account, balance and day, follow our counting. So a tool accepts the journal only if chart and
counting agree.
"""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, Protocol, Self, TextIO

from falcon_balances.audit.balances import currency_of
from falcon_balances.audit.findings import FLAWED, FOREIGN, LogFinding
from falcon_balances.audit.log_lines import repetition
from falcon_balances.audit.log_objects import Foreign, LogSource, Selection
from falcon_balances.audit.replay import repeated_lines
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.standings import NOTHING, plus
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.accounts import OF_MERCHANTS, Account, Booked, postings
from falcon_balances.domain.available import Agreement, agreement
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import (
    PSP_STAGES,
    OperationType,
    Segment,
    Stage,
    main_line,
)

_HELD_MAX: Final = 64 << 20

Posting = tuple[Account, BalanceId, str]


class Entry(NamedTuple):
    """The lines of an object, as far as a journal needs them; `lines`: balance shop, currency, type
    and minor units.
    """

    merchant_id: str
    stage: str
    """The stage with its revision."""
    type: str
    external_reference: str
    falcon_operation_id: str
    lines: list[tuple[str, str, str, int]]

    @classmethod
    def of(cls, segment: Segment) -> Self:
        main = main_line(segment.lines)
        return cls(
            segment.merchant_id,
            segment.staged,
            main.type.value,
            main.external_reference,
            main.falcon_operation_id,
            [
                (line.balance_shop_id, line.currency.code, line.type.value, line.amount.minor)
                for line in segment.lines
            ],
        )

    def booked(self) -> dict[BalanceId, list[Booked]]:
        stage = Stage(self.stage.partition(".")[0])
        found: dict[BalanceId, list[Booked]] = {}
        for shop, currency, kind, minor in self.lines:
            balance = BalanceId(self.merchant_id, shop, currency)
            found.setdefault(balance, []).append(Booked(stage, OperationType(kind), minor))
        return found


class Dialect(Protocol):
    """The format of a tool. Amounts are at full scale, debits positive."""

    def heading(self, balances: Mapping[BalanceId, date]) -> str:
        """The head of the journal. `balances`: each with the day of its first movement."""

    def transaction(self, day: str, entry: Entry, moved: list[Posting]) -> str: ...

    def assertion(self, day: date, account: Account, balance: BalanceId, amount: str) -> str:
        """The assertion of the account's balance at the end of the day."""


def write_journal(
    source: LogSource,
    selection: Selection,
    dialect: Dialect,
    file: TextIO,
    advance: Callable[[int], None] = lambda _objects: None,
) -> list[LogFinding]:
    """Writes the days in order, each followed by its assertions. Flawed objects and repeated lines
    are left out and reported. Reads the log twice; memory grows by some hundred bytes per
    operation.
    """
    findings: list[LogFinding] = []
    left_out: set[tuple[str, int]] = set()
    for lines in repeated_lines(source, selection):
        first, *others = sorted(lines)
        findings += [repetition(first, line) for line in others]
        left_out |= {(line.key, line.number) for line in others}
    first_days: dict[BalanceId, str] = {}
    with TemporaryDirectory(prefix="falcon-journal-") as folder:
        entries = _EntriesByDay(Path(folder))
        for segment in _segments(source, selection, left_out, findings, advance):
            day, entry = _day_of(segment), Entry.of(segment)
            for balance in entry.booked():
                first_days[balance] = min(day, first_days.get(balance, day))
            entries.add(day, entry)
        file.write(
            dialect.heading({each: date.fromisoformat(day) for each, day in first_days.items()})
        )
        _write_days(entries, dialect, file)
    return sorted(findings)


def _write_days(entries: "_EntriesByDay", dialect: Dialect, file: TextIO) -> None:
    books = _Books()
    for day in entries.days():
        closing: set[BalanceId] = set()
        for entry in entries.of(day):
            moved = [
                (account, balance, _scaled(minor, balance))
                for balance, lines in entry.booked().items()
                for account, minor in books.post(entry.falcon_operation_id, balance, lines)
                if minor
            ]
            closing |= entry.booked().keys()
            file.write(dialect.transaction(day, entry, moved))
        for balance in sorted(closing):
            for account, minor in books.held(balance):
                amount = _scaled(minor, balance)
                file.write(dialect.assertion(date.fromisoformat(day), account, balance, amount))


def _scaled(minor: int, balance: BalanceId) -> str:
    return at_full_scale(minor, currency_of(balance).exponent)


class _Books:
    """The nets of every operation's stages so far, and the resulting figures of each balance."""

    def __init__(self) -> None:
        self._nets: dict[tuple[str, BalanceId], tuple[int, int]] = {}
        self._agreed: dict[BalanceId, Agreement] = {}
        self._direct: dict[BalanceId, int] = {}

    def post(
        self, operation_id: str, balance: BalanceId, lines: list[Booked]
    ) -> Iterator[tuple[Account, int]]:
        """Adds these lines, and returns their postings."""
        confirmed, reconciled = before = self._nets.get((operation_id, balance), (0, 0))
        direct = 0
        for line in lines:
            if line.stage is Stage.CONFIRMED:
                confirmed += line.minor
            elif line.stage is Stage.RECONCILED:
                reconciled += line.minor
            else:
                direct += line.minor
        if lines[0].stage in PSP_STAGES:
            self._nets[operation_id, balance] = confirmed, reconciled
        changed = plus(agreement(confirmed, reconciled), _negative(agreement(*before)))
        self._agreed[balance] = plus(self._agreed.get(balance, NOTHING), changed)
        self._direct[balance] = self._direct.get(balance, 0) + direct
        return postings(lines, changed)

    def held(self, balance: BalanceId) -> Iterator[tuple[Account, int]]:
        """The figures with the opposite sign, because money owed to a merchant is a credit."""
        agreed = self._agreed[balance]
        figures = {**agreed._asdict(), "available": agreed.counted + self._direct[balance]}
        for account, figure in OF_MERCHANTS.items():
            yield account, -figures[figure]


def _negative(agreed: Agreement) -> Agreement:
    return Agreement(*(-figure for figure in agreed))


def _segments(
    source: LogSource,
    selection: Selection,
    left_out: Container[tuple[str, int]],
    findings: list[LogFinding],
    advance: Callable[[int], None],
) -> Iterator[Segment]:
    """The log's segments, without the lines in `left_out`, which has keys and line numbers."""
    for batch in source.batches(selection):
        if isinstance(batch, Foreign):
            findings.append(LogFinding(batch.key, FOREIGN, batch.reason))
            continue
        for name, body in zip(batch.names, batch.bodies, strict=True):
            key = f"{batch.partition}/{name}"
            try:
                segment = read_strictly(key, body)
            except FlawedObjectError as flaw:
                findings.append(LogFinding(key, FLAWED, str(flaw)))
                continue
            numbered = enumerate(segment.lines, start=2)
            lines = tuple(line for number, line in numbered if (key, number) not in left_out)
            if lines:
                yield replace(segment, lines=lines)
        advance(len(batch.names))


def _day_of(segment: Segment) -> str:
    """The segment's day, with a year of four digits: strftime writes fewer before 1000."""
    return rfc3339(segment.booked_at)[:10]


class _EntriesByDay:
    """Keeps rows in memory up to a limit, then in a file per day."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, list[str]] = {}
        self._days: set[str] = set()
        self._size = 0

    def add(self, day: str, entry: Entry) -> None:
        text = json.dumps(entry) + "\n"
        self._held.setdefault(day, []).append(text)
        self._days.add(day)
        self._size += len(text)
        if self._size > _HELD_MAX:
            for name, texts in self._held.items():
                with (self._folder / name).open("a", encoding="utf-8") as file:
                    file.writelines(texts)
            self._held, self._size = {}, 0

    def days(self) -> list[str]:
        return sorted(self._days)

    def of(self, day: str) -> Iterator[Entry]:
        for text in self._texts(day):
            yield Entry(*json.loads(text))

    def _texts(self, day: str) -> Iterable[str]:
        if (self._folder / day).exists():
            with (self._folder / day).open(encoding="utf-8") as file:
                yield from file
        yield from self._held.get(day, [])
