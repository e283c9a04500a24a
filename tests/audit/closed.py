"""Journals in folders, as a fetch leaves them, and the closed days that are made of them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from falcon_balances.audit.closing import close_days
from falcon_balances.contracts.closed_days import ClosedDayV1, JournalEndsV1
from falcon_balances.domain.available import Joint, agreement
from falcon_balances.domain.journal import BEGINNING, JournalEntry, JournalPosition
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.operations import PSP_STAGES, Segment, Stage
from falcon_balances.domain.table_keys import BalanceKey
from tests.journals import SHARD, page_after

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
Nets = dict[str, int]


def entries_of(
    segments: Iterable[Segment], each: timedelta = timedelta(hours=5)
) -> Iterator[JournalEntry]:
    """The segments as counted one after the other, a quarter every five hours."""
    nets: dict[tuple[str, str, BalanceKey], Nets] = {}
    for n, segment in enumerate(segments):
        effect: dict[BalanceKey, Joint] = {}
        for line in segment.lines:
            balance = BalanceKey(line.balance_shop_id, line.currency.code)
            net = nets.setdefault(
                (segment.merchant_id, line.falcon_operation_id, balance), dict.fromkeys(Stage, 0)
            )
            before = agreement(*(net[stage] for stage in PSP_STAGES))
            net[segment.stage] += line.amount.minor
            after = agreement(*(net[stage] for stage in PSP_STAGES))
            joint = Joint.between(before, after)
            if segment.stage not in PSP_STAGES:
                joint = Joint(available=line.amount.minor)
            so_far = effect.get(balance, Joint())
            effect[balance] = Joint(*(a + b for a, b in zip(so_far, joint, strict=True)))
        key, body = log_key(segment), csv_body(segment)
        yield JournalEntry(START + n * each, effect, key, f"version-{n}", body)


def written_pages(
    folder: Path,
    entries: Iterable[JournalEntry],
    start: JournalPosition = BEGINNING,
    shard_id: str = SHARD,
) -> JournalPosition:
    """Writes each entry to a page that repeats the entry before it. Returns the last position."""
    position, before = start, None
    for entry in entries:
        some = [entry] if before is None else [before, entry]
        page = page_after(position, *some, shard_id=shard_id)
        write_page(folder, page.name.key, page.body)
        position, before = page.name.position, entry
    return position


def write_page(folder: Path, key: str, body: bytes) -> None:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def closed(
    folder: Path, ends: Mapping[str, JournalPosition], cut_at: datetime
) -> list[ClosedDayV1]:
    """Closes into `folder/closed` what `folder/journal` says."""
    said = JournalEndsV1.of(cut_at, ends)
    return close_days(folder, said, folder / "closed", lambda _segments: None)


def closed_days_of(folder: Path, segments: Iterable[Segment]) -> Path:
    """The segments counted, journaled and closed, until the last one's day has ended."""
    entries = list(entries_of(segments))
    end = written_pages(folder, entries)
    last = entries[-1].window if entries else START
    closed(folder, {SHARD: end}, last + timedelta(days=1, hours=1))
    return folder / "closed"
