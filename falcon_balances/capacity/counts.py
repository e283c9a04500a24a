"""What a message costs in calls, units and bytes, in batches of the given sizes.

A message is one event of a PSP with one merchant: captures with a fee, half of them confirmed and
half the same operations reconciled days later, with ids of 36 characters. The figures follow from
batch sizes; `tests/component/test_capacity_counts.py` compares them with what the bench counts.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

from falcon_balances.capacity.item_units import ITEM_OVERHEAD_BYTES
from falcon_balances.capacity.workload import Workload

POLLERS: Final = 5
"""Lambda reads a queue with five pollers at first, and each of them has its own batches.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""
STAGES: Final = 2
EXECUTION_MESSAGES_MAX: Final = 32
"""The messages whose largest output fits the dispatcher's budget for an execution."""
SQS_MESSAGES_MAX: Final = 10

RECORD_BYTES: Final = 1_290
OBJECT_BYTES: Final = 670
JOURNAL_ENTRY_BYTES: Final = 900
"""A segment's entry in the journal: its lines, and what it added to each balance."""

# Units of one message, without the counters, by kind of item.
UNITS: Final = {
    "OPERATION": 2.0,
    "index by-window": 1.0,
    "STANDING": 2.0,
    "index by-open": 1.0,
    "index by-reference": 0.5,
    "SALE": 1.0,
}
CLAIM_UNITS: Final = 1.0
COUNTER_KINDS: Final = ("BALANCE", "WINDOW", "DAY")
COUNTER_UNITS: Final = 2.0
"""Write units of one counter in a transaction."""
ITEMS: Final = 2.5
"""Items that a message writes besides counters: its mark, its standing, and a capture's sale."""
TRANSACTION_ITEMS_MAX: Final = 100
READS: Final = 1.5  # standings and sales; and each balance of a batch is read once
CLAIM_READS: Final = 1.0  # what the other stage claims

# Bytes kept for ever, of one message: items, half of them shared by both stages, and entries.
CLAIM_BYTES: Final = 441 + ITEM_OVERHEAD_BYTES
MARK_BYTES: Final = 625 + ITEM_OVERHEAD_BYTES
SHARED_BYTES: Final = (527 + 142 + 2 * ITEM_OVERHEAD_BYTES) / 2
"""Standing and sale."""
MARK_ENTRY_BYTES: Final = 279 + ITEM_OVERHEAD_BYTES
REFERENCE_ENTRY_BYTES: Final = (173 + ITEM_OVERHEAD_BYTES) / 2
COUNTER_BYTES: Final = 170 + ITEM_OVERHEAD_BYTES
CLOSING_BYTES: Final = 250 + ITEM_OVERHEAD_BYTES
QUARTER_S: Final = 900
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Batches:
    """The sizes of batches. `records` and `balances` are of one batch of one shard."""

    messages: float
    """The messages in a batch of a queue."""
    execution_messages: float
    records: float
    balances: float
    transactions: int

    @property
    def counters(self) -> float:
        """Writes of each kind of counter by a batch: once for each transaction that touches it."""
        return self.balances + self.transactions - 1

    @property
    def counter_units(self) -> float:
        """The write units of counters per message, all kinds together."""
        return COUNTER_UNITS * len(COUNTER_KINDS) * self.counters / self.records

    @property
    def reads(self) -> float:
        """Strongly consistent reads of the table `balances` per message."""
        return READS + self.balances / self.records


def reducer_batch(records: float, balances: float, messages: float = 1) -> Batches:
    items = ITEMS * records + len(COUNTER_KINDS) * balances
    transactions = max(1, ceil(items / TRANSACTION_ITEMS_MAX))
    executions = ceil(messages / EXECUTION_MESSAGES_MAX)
    return Batches(messages, messages / executions, records, balances, transactions)


def batches(load: Workload, shards: int) -> Batches:
    """The sizes of batches: what arrives in a window, at least one message, at most the limit."""
    sizes = load.batching
    of_poller = load.per_second / STAGES * sizes.queue_window_s / POLLERS
    messages = min(max(of_poller, 1), sizes.queue_messages)
    in_use = min(shards, load.merchants)  # a merchant is in one shard only
    records = min(max(load.per_second / in_use * sizes.stream_window_s, 1), sizes.stream_records)
    balances = load.merchants_among(records * in_use) / in_use
    return reducer_batch(records, balances, messages)


def counter_bytes_kept(load: Workload) -> float:
    """The bytes of windows, days and closings that are kept for ever, per message. A merchant with
    messages in a quarter of an hour has a window; with messages on a day, it has a day's item and a
    closing.
    """
    sizes = {QUARTER_S: COUNTER_BYTES, DAY_S: COUNTER_BYTES + CLOSING_BYTES}
    return sum(
        size * load.merchants_among(load.per_second * span_s) / (load.per_second * span_s)
        for span_s, size in sizes.items()
    )
