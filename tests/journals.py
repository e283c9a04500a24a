"""Entries and pages of a journal."""

from typing import Any

from falcon_balances.adapters.journal_ports import Journal
from falcon_balances.contracts.journal_pages import WrittenPage, written
from falcon_balances.domain.available import Joint
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import JournalEntry, JournalPage, JournalPosition
from falcon_balances.domain.table_keys import BalanceKey
from tests.builders import confirmed, record_of

SHARD = "shardId-000000000000"
BALANCE = BalanceKey("bs-5553-eur", "EUR")


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
    position: JournalPosition, *entries: JournalEntry, shard_id: str = SHARD
) -> WrittenPage:
    return written(JournalPage(shard_id, position.number + 1, position.digest, entries))


def append(
    journal: Journal, position: JournalPosition, *entries: JournalEntry, shard_id: str = SHARD
) -> JournalPosition:
    """Writes a page behind the one at `position`; the answer is its own position."""
    page = page_after(position, *entries, shard_id=shard_id)
    journal.write(page)
    return page.name.position
