"""What is kept for ever of each message: bytes, their price, and which table class is cheaper."""

from typing import Final, NamedTuple

from falcon_balances.capacity.bill import Billing, Paying, TableClass, unit_price
from falcon_balances.capacity.counts import (
    CLAIM_BYTES,
    CLAIM_READS,
    CLAIM_UNITS,
    JOURNAL_ENTRY_BYTES,
    MARK_BYTES,
    MARK_ENTRY_BYTES,
    OBJECT_BYTES,
    REFERENCE_ENTRY_BYTES,
    SHARED_BYTES,
    Batches,
    counter_bytes_kept,
)
from falcon_balances.capacity.limits import index_units, table_units
from falcon_balances.capacity.prices import Prices
from falcon_balances.capacity.workload import Workload

_MONTHS: Final = 12


class Kept(NamedTuple):
    """Bytes of one message, and what a million messages cost in the years, in US dollars.

    `usd` is without `backup_usd`. The backup is point-in-time recovery, which is billed for tables,
    not for their indexes.
    """

    name: str
    message_bytes: float
    usd: float
    backup_usd: float


def kept(load: Workload, paying: Paying, prices: Prices) -> list[Kept]:
    months, of = load.years * _MONTHS, prices.per_gb_month
    claims, balances = (of[f"table{each.suffix}"] for each in (paying.claims, paying.balances))
    backup = of["point_in_time_recovery"]
    stored = (
        ("claims", CLAIM_BYTES, claims, backup),
        ("marks", MARK_BYTES, balances, backup),
        ("index of marks", MARK_ENTRY_BYTES, balances, 0),
        ("standings, sales", SHARED_BYTES, balances, backup),
        ("index by reference", REFERENCE_ENTRY_BYTES, balances, 0),
        ("windows, days, closings", counter_bytes_kept(load), balances, backup),
        ("log objects", OBJECT_BYTES, of["s3"], 0),
        ("journal", JOURNAL_ENTRY_BYTES, of["s3"], 0),
    )
    # A million messages of so many bytes are thousandths of so many GB.
    return [
        Kept(name, size, size / 1000 * price * months, size / 1000 * backed_up * months)
        for name, size, price, backed_up in stored
    ]


MARKS_AND_CLAIMS: Final = ("claims", "marks", "index of marks")


class Classes(NamedTuple):
    """What a million messages cost with infrequent access instead of standard: more to write and
    read, less to keep. After `months` it is cheaper on the whole.
    """

    table: str
    dearer_usd: float
    cheaper_usd_a_month: float

    @property
    def months(self) -> float:
        return self.dearer_usd / self.cheaper_usd_a_month


def classes(
    load: Workload, batches: Batches, billing: Billing, prices: Prices
) -> tuple[Classes, Classes]:
    def dearer(writes: float, reads: float) -> float:
        return sum(
            units
            * (
                unit_price(billing, TableClass.INFREQUENT, prices, writes=is_write)
                - unit_price(billing, TableClass.STANDARD, prices, writes=is_write)
            )
            for units, is_write in ((writes, True), (reads, False))
        )

    def cheaper(size: float) -> float:
        of = prices.per_gb_month
        return size / 1000 * (of["table"] - of["table_ia"])

    of_balances = MARK_BYTES + MARK_ENTRY_BYTES + SHARED_BYTES + REFERENCE_ENTRY_BYTES
    of_counters = counter_bytes_kept(load)
    return (
        Classes("event-claims", dearer(CLAIM_UNITS, CLAIM_READS), cheaper(CLAIM_BYTES)),
        Classes(
            "balances",
            dearer(table_units(batches) + index_units(), batches.reads),
            cheaper(of_balances + of_counters),
        ),
    )
