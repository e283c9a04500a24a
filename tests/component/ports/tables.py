"""The tables as the product's own reducer fills them, and the reads of each merchant on them."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from falcon_balances.adapters.past_ports import Closings
from falcon_balances.adapters.ports import BalanceStore, EventClaims, MerchantReads
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.domain.merchant_context import MerchantContext
from falcon_balances.domain.money import Currency
from falcon_balances.domain.table_keys import BalanceKey
from falcon_balances.fakes.journal import MemoryJournal
from falcon_balances.fakes.storage import MemoryQuarantine
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from tests.builders import (
    Document,
    claim_of,
    confirmed,
    context_of,
    data_of,
    reconciled,
    records_of,
    shop,
)
from tests.component.conftest import no_wait
from tests.component.world import utc

EUR, JPY = Currency("EUR", 2), Currency("JPY", 0)
# m-1 has two shops, one's id the beginning of the other's; so have the merchants beside it.
CONTEXTS = (
    context_of("a", merchant_id="m-1", balance_shops={"EUR": "bs-1", "JPY": "bs-1-jpy"}),
    context_of("b", merchant_id="m-1", balance_shops={"EUR": "bs-10"}),
    context_of("c", merchant_id="m-10", balance_shops={"EUR": "bs-1", "JPY": "bs-1-jpy"}),
    context_of("d", merchant_id="m", balance_shops={"EUR": "bs-1"}),
)
BS_1, BS_10, BS_1_JPY = (
    BalanceKey("bs-1", "EUR"),
    BalanceKey("bs-10", "EUR"),
    BalanceKey("bs-1-jpy", "JPY"),
)


def at(time: str):
    return utc(f"2026-11-20T{time}")


def capture(n: int = 1, local: str = "a", **changes) -> Document:
    """100.00 EUR, confirmed, by default for the first shop of m-1."""
    return confirmed(**{"external_reference": f"order-{n}", **shop(local), **changes})


def reconciliation(n: int = 1, local: str = "a", **changes) -> Document:
    return reconciled(**{"external_reference": f"order-{n}", **shop(local), **changes})


def at_noon():
    return at("12:00:00")


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables, filled by the product's own reducer, and the reads of each merchant on them."""

    store: BalanceStore
    claims: EventClaims
    reads: Callable[[str], MerchantReads]
    closings: Closings
    stream: MemoryBalanceStream = field(default_factory=lambda: MemoryBalanceStream(at_noon, 1))
    shards: Iterator[int] = field(default_factory=itertools.count)

    def claim(self, document: Document, *contexts: MerchantContext) -> ClaimV1:
        claim = claim_of(document, *contexts or CONTEXTS)
        self.claims.claim(claim)
        return claim

    def count(self, time: str, *documents: Document) -> list[SegmentRecordV1]:
        """What arrived at this time of the day, or at this moment."""
        records = [record for each in documents for record in records_of(self.claim(each))]
        self.count_records(time, *records)
        return records

    def count_records(self, time: str, *records: SegmentRecordV1) -> None:
        arrived_at = utc(time) if "T" in time else at(time)
        self.reduce(*(StreamRecord(data_of(record), arrived_at) for record in records))

    def reduce(self, *arrived: StreamRecord) -> None:
        """Each time from another shard: within one, quarters never go back."""
        shard_id = f"shard-{next(self.shards)}"
        self.store.move_shard(shard_id, BEGINNING, None, BEGINNING)
        quarantine, journal = MemoryQuarantine(), MemoryJournal()
        world = ReducerPorts(self.store, self.stream, quarantine, journal, wait=no_wait)
        reduce_batch(shard_id, arrived, world)
