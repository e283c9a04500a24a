"""Entries and pages of a journal, and what the journal of closed quarters must be."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.adapters.journal_ports import Journal
from falcon_balances.contracts.journal_pages import WrittenPage, written
from falcon_balances.domain.available import Joint
from falcon_balances.domain.compact_lines import lines_of_text
from falcon_balances.domain.counted_order import MARK_KEYS, MarkKey
from falcon_balances.domain.counting import stage_counters
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.effects import Effect, read_effect
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.journal import JournalEntry, JournalPage, JournalPosition
from falcon_balances.domain.log_format import body_of_rows, fields_of, parse_csv_body
from falcon_balances.domain.log_keys import LogKey
from falcon_balances.domain.operations import staged
from falcon_balances.domain.past_keys import WindowKey
from falcon_balances.domain.table_keys import (
    BalanceKey,
    ItemKey,
    merchant_pk,
    parse_merchant_pk,
)
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.journal import MemoryJournal
from tests.builders import confirmed, record_of

SHARD = "shardId-000000000000"
BALANCE = BalanceKey("bs-5553-eur", "EUR")
NOWHERE: Mapping[str, JournalPosition] = {}


def entry(n: int = 0, quarter: str = "10:15", **changes: Any) -> JournalEntry:
    """The capture `order-{n}`, counted in a quarter of 2026-11-20."""
    record = record_of(confirmed(external_reference=f"order-{n}"))
    said: dict[str, Any] = {
        "window": parse_rfc3339(f"2026-11-20T{quarter}:00Z"),
        "effect": {BALANCE: Joint(pending=10_000)},
        "log_key": record.log_key,
        "version_id": f"version-{n}",
        "body": record.body,
    }
    return JournalEntry(**said | changes)


def page_after(
    position: JournalPosition,
    *entries: JournalEntry,
    shard_id: str = SHARD,
    floor: datetime | None = None,
) -> WrittenPage:
    """Its floor is the oldest quarter of its entries, unless said otherwise."""
    oldest = min(each.window for each in entries)
    number = position.number + 1
    return written(JournalPage(shard_id, number, position.digest, entries, floor or oldest))


def append(
    journal: Journal,
    position: JournalPosition,
    *entries: JournalEntry,
    shard_id: str = SHARD,
    floor: datetime | None = None,
) -> JournalPosition:
    """Writes a page behind the one at `position`; the answer is its own position."""
    page = page_after(position, *entries, shard_id=shard_id, floor=floor)
    journal.write(page)
    return page.name.position


def quiet(journal: MemoryJournal) -> MemoryJournal:
    """The same pages, read without interruptions."""
    copy = MemoryJournal()
    copy.objects = journal.objects
    return copy


def check_closed(
    store: MemoryBalanceStore,
    journal: MemoryJournal,
    cut_at: datetime,
    since: datetime | None = None,
    starts: Mapping[str, JournalPosition] = NOWHERE,
) -> Mapping[str, JournalPosition]:
    """The journal of the quarters from `since` on that a complete cut closed is what the marks say,
    each once, and adds up to the windows. Returns where the next reader starts.
    """
    until = closed_until(cut_at)
    closed = ClosedJournal(quiet(journal), {**store.journaled, **store.cuts_met[cut_at]}, starts)
    entries = list(closed.entries(since, until))
    found = {_identity(each): (rfc3339(each.window), each.effect, each.body) for each in entries}
    period = ("" if since is None else rfc3339(since), rfc3339(until))
    assert len(found) == len(entries), "journaled twice"
    assert found == _marked(store, *period), "journaled otherwise than counted"
    assert _summed(entries) == _windows(store, *period), "the journal does not add up to windows"
    return closed.positions


Identity = tuple[str, str, str]


def _identity(entry: JournalEntry) -> Identity:
    key = LogKey.parse(entry.log_key)
    return key.merchant_id, key.falcon_operation_id, staged(key.stage, key.revision)


def _marked(
    store: MemoryBalanceStore, since: str, until: str
) -> dict[Identity, tuple[str, Effect, str]]:
    """What the marks of all parts say of the segments in these quarters."""
    said: dict[Identity, tuple[str, Effect, str]] = {}
    effects: dict[Identity, dict[BalanceKey, Joint]] = {}
    for key, mark in store.marks.items():
        if not key.sk.startswith(MARK_KEYS):
            continue
        marked = MarkKey.parse(key.sk)
        identity = (parse_merchant_pk(key.pk), marked.falcon_operation_id, marked.staged)
        effect = effects.setdefault(identity, {})
        effect |= read_effect(str(mark["effect"]))
        if since <= str(mark.get("window", "~")) < until:
            lines = lines_of_text(str(mark["lines"]), *identity)
            body = body_of_rows(",".join(fields_of(line)) for line in lines)
            said[identity] = (str(mark["window"]), effect, body)
    return said


def _summed(entries: Iterable[JournalEntry]) -> dict[ItemKey, dict[str, int]]:
    sums: dict[ItemKey, Counter[str]] = {}
    for each in entries:
        key = LogKey.parse(each.log_key)
        window = rfc3339(each.window)
        for line in parse_csv_body(each.body):
            balance = BalanceKey(line.balance_shop_id, line.currency.code)
            place = ItemKey(merchant_pk(key.merchant_id), WindowKey(balance, window).sk)
            counted = stage_counters(key.stage, line.amount.minor, 1)
            sums.setdefault(place, Counter()).update(counted)
        for balance, joint in each.effect.items():
            place = ItemKey(merchant_pk(key.merchant_id), WindowKey(balance, window).sk)
            sums[place].update(joint.counters())
    return {key: _not_zero(counters) for key, counters in sums.items()}


def _windows(store: MemoryBalanceStore, since: str, until: str) -> dict[ItemKey, dict[str, int]]:
    return {
        key: _not_zero(counters)
        for key, counters in store.counters.items()
        if key.sk.startswith("WINDOW#") and since <= WindowKey.parse(key.sk).start < until
    }


def _not_zero(counters: Mapping[str, int]) -> dict[str, int]:
    return {name: value for name, value in counters.items() if value}
