"""The bill of a million messages, item by item, in US dollars at list prices.

Not in it: Falcon Core's topics, reads of the API, the night's work, taxes, discounts.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from falcon_balances.capacity.counts import (
    CLAIM_READS,
    CLAIM_UNITS,
    RECORD_BYTES,
    SQS_MESSAGES_MAX,
    Batches,
)
from falcon_balances.capacity.durations import EXPRESS_GB, LOGS_BYTES, running
from falcon_balances.capacity.limits import index_units, table_units
from falcon_balances.capacity.prices import Prices
from falcon_balances.capacity.workload import Workload

MILLION: Final = 1_000_000
HOUR_S: Final = 3_600
MONTH_H: Final = 730
USED: Final = 0.7
"""The share of provisioned units that a steady load uses: the target of auto scaling."""
_GB: Final = 1_000_000_000
_LONG_RETENTION_MONTHS: Final = 6 / 30.4
"""Records are kept for seven days, of which the first is in the stream's price."""
_POLLS_S: Final = 1.0
"""Four queues, five pollers each, a receive of 20 s each: also where there is no message."""
_EVERY_MINUTE_MONTH: Final = 2.0
"""Cuts and expiries of a month."""


class Billing(StrEnum):
    """How DynamoDB is paid for: by each unit used, or by the hour for units provided per second."""

    ON_DEMAND = "on demand"
    PROVISIONED = "provisioned"


class TableClass(StrEnum):
    """Standard, or Infrequent Access: storage is cheaper there, and each unit dearer."""

    STANDARD = "standard"
    INFREQUENT = "infrequent access"

    @property
    def suffix(self) -> str:
        return "_ia" if self is TableClass.INFREQUENT else ""


class Paying(NamedTuple):
    """How the tables are paid for; the classes are those of the template."""

    billing: Billing
    claims: TableClass = TableClass.INFREQUENT
    balances: TableClass = TableClass.INFREQUENT


class BillItem(NamedTuple):
    name: str
    usd: float


def bill(
    load: Workload, shards: int, batches: Batches, paying: Paying, prices: Prices
) -> list[BillItem]:
    """The items of a million messages."""
    return [
        *_tables(batches, paying, prices),
        *_functions(load, batches, prices),
        _stream(load, shards, prices),
        *_journal(batches, paying, prices),
    ]


def unit_price(billing: Billing, table: TableClass, prices: Prices, *, writes: bool) -> float:
    """The price of a million write or read units."""
    kind = "write" if writes else "read"
    if billing is Billing.ON_DEMAND:
        return prices.per_million[f"{kind}_unit{table.suffix}"]
    of_hour = prices.per_hour[f"{kind}_capacity{table.suffix}"]
    return of_hour / HOUR_S * MILLION / USED


def _tables(batches: Batches, paying: Paying, prices: Prices) -> Iterator[BillItem]:
    claims = (paying.billing, paying.claims, prices)
    balances = (paying.billing, paying.balances, prices)
    write, read = unit_price(*balances, writes=True), unit_price(*balances, writes=False)
    yield BillItem("claims", CLAIM_UNITS * unit_price(*claims, writes=True))
    of_items = table_units(batches) - batches.counter_units
    yield BillItem("marks, standings, sales", of_items * write)
    yield BillItem("their indexes", index_units() * write)
    yield BillItem("balances, windows, days", batches.counter_units * write)
    of_claims = CLAIM_READS * unit_price(*claims, writes=False)
    yield BillItem("reads of tables", of_claims + batches.reads * read)


def _functions(load: Workload, batches: Batches, prices: Prices) -> Iterator[BillItem]:
    runs, of = running(batches), prices.per_million
    yield BillItem("log objects: S3 PUT", of["s3_put"])
    yield BillItem(
        "Lambda", runs.invocations * of["lambda_request"] + runs.gb_s * of["lambda_gb_s"]
    )
    executions = 1 / batches.execution_messages
    express_gb_s = runs.execution_s * EXPRESS_GB
    yield BillItem(
        "Express", executions * of["express_request"] + express_gb_s * of["express_gb_s"]
    )
    received = 2 / min(batches.messages, SQS_MESSAGES_MAX)
    requests = 1 + received + _POLLS_S / load.per_second
    yield BillItem("SQS", requests * of["sqs_request"])
    logs_gb = runs.invocations * LOGS_BYTES * MILLION / _GB
    yield BillItem("CloudWatch logs", logs_gb * prices.per_gb["logs"])
    yield BillItem("every minute: cuts, expiries", _EVERY_MINUTE_MONTH / millions_a_month(load))


def _stream(load: Workload, shards: int, prices: Prices) -> BillItem:
    """The stream on demand, or by the shard, whichever is cheaper."""
    hours = MILLION / load.per_second / HOUR_S
    gb = RECORD_BYTES * MILLION / _GB
    on_demand = (
        hours * prices.per_hour["kinesis_stream"]
        + gb * (prices.per_gb["kinesis_in"] + prices.per_gb["kinesis_out"])
        + gb * _LONG_RETENTION_MONTHS * prices.per_gb_month["kinesis_long"]
    )
    of_shard = prices.per_hour["kinesis_shard"] + prices.per_hour["kinesis_shard_long"]
    by_shard = hours * shards * of_shard + prices.per_million["kinesis_put_unit"]
    name = f"Kinesis, {'by the shard' if by_shard < on_demand else 'on demand'}"
    return BillItem(name, min(by_shard, on_demand))


def _journal(batches: Batches, paying: Paying, prices: Prices) -> Iterator[BillItem]:
    """A page for each batch: one PUT, one write of the position, one GET of the sealer."""
    pages = 1 / batches.records
    write = unit_price(paying.billing, paying.balances, prices, writes=True)
    of = prices.per_million
    yield BillItem("journal", pages * (of["s3_put"] + of["s3_get"] + write))


def millions_a_month(load: Workload) -> float:
    return load.per_second * HOUR_S * MONTH_H / MILLION
