"""Plans the capacity for a load, as one JSON document: what it needs, its limits, its bill."""

from math import ceil
from typing import Any, Final

from falcon_balances.capacity.bill import Billing, Paying, bill, millions_a_month
from falcon_balances.capacity.counts import CLAIM_READS, CLAIM_UNITS, Batches, batches
from falcon_balances.capacity.durations import reducer_s, running
from falcon_balances.capacity.keeping import MARKS_AND_CLAIMS, classes, kept
from falcon_balances.capacity.limits import (
    PARTITION_UNITS,
    Limit,
    index_units,
    limits,
    shards_for,
    table_units,
)
from falcon_balances.capacity.prices import Prices
from falcon_balances.capacity.workload import Workload

Document = dict[str, Any]
_YEAR_S: Final = 365.25 * 86_400
_DIGITS: Final = 4


def plan(load: Workload, prices: Prices) -> Document:
    shards = shards_for(load)
    sizes = batches(load, shards)
    found = limits(load, shards, sizes)
    return {
        "load": _load(load),
        "needs": _needs(load, shards, sizes),
        "limits": [_limit(each) for each in found],
        "first_limit": _limit(found[0]),
        "quotas_to_raise": [_limit(each) for each in found if each.is_to_be_raised],
        "bill": {
            billing.value: _bill(load, shards, sizes, Paying(billing), prices)
            for billing in Billing
        },
        "kept": _kept(load, Paying(Billing.ON_DEMAND), prices),
        "table_classes": _classes(load, sizes, prices),
        "prices": {
            "date": prices.date,
            "region": prices.region,
            "currency": prices.currency,
            "source": prices.source,
        },
    }


def _load(load: Workload) -> Document:
    return {
        "per_second": load.per_second,
        "merchants": load.merchants,
        "zipf": load.zipf,
        "years": load.years,
        "hottest_per_second": _rounded(load.hottest_per_second),
        "queue_window_s": load.batching.queue_window_s,
        "stream_window_s": load.batching.stream_window_s,
    }


def _needs(load: Workload, shards: int, sizes: Batches) -> Document:
    rate, runs = load.per_second, running(sizes)
    return {
        "shards": shards,
        "functions_at_once": _rounded(rate * runs.seconds),
        "dispatchers_at_once_a_stage": _rounded(rate / 2 * runs.dispatcher_s),
        "reducer_s_a_batch": _rounded(reducer_s(sizes)),
        "messages_an_execution": _rounded(sizes.execution_messages),
        "records_a_batch": _rounded(sizes.records),
        "balances_a_batch": _rounded(sizes.balances),
        "partitions_of_the_hottest_merchant": ceil(
            load.hottest_per_second * table_units(sizes) / PARTITION_UNITS
        ),
        "write_units_a_message": _rounded(CLAIM_UNITS + table_units(sizes) + index_units()),
        "claims_write_units_s": _rounded(rate * CLAIM_UNITS),
        "balances_write_units_s": _rounded(rate * table_units(sizes)),
        "indexes_write_units_s": _rounded(rate * index_units()),
        "read_units_s": _rounded(rate * (CLAIM_READS + sizes.reads)),
    }


def _limit(limit: Limit) -> Document:
    return {
        "name": limit.name,
        "needed": _rounded(limit.needed),
        "at_most": limit.at_most,
        "unit": limit.unit,
        "share": _rounded(limit.share),
        "fits": limit.share <= 1,
        "can_be_raised": limit.is_quota,
        "remedy": limit.remedy,
    }


def _bill(load: Workload, shards: int, sizes: Batches, paying: Paying, prices: Prices) -> Document:
    items = bill(load, shards, sizes, paying, prices)
    total = sum(item.usd for item in items)
    return {
        "items": {item.name: _rounded(item.usd) for item in items},
        "per_million": _rounded(total),
        "per_month": _rounded(total * millions_a_month(load)),
    }


def _kept(load: Workload, paying: Paying, prices: Prices) -> Document:
    items = kept(load, paying, prices)
    messages = load.per_second * _YEAR_S * load.years
    of_marks = [each for each in items if each.name in MARKS_AND_CLAIMS]
    return {
        "items": [
            {
                "name": each.name,
                "bytes_a_message": _rounded(each.message_bytes),
                "bytes": round(each.message_bytes * messages),
                "usd_a_million": _rounded(each.usd),
                "backup_usd_a_million": _rounded(each.backup_usd),
            }
            for each in items
        ],
        "messages": round(messages),
        "bytes": round(sum(each.message_bytes for each in items) * messages),
        "usd_a_million": _rounded(sum(each.usd + each.backup_usd for each in items)),
        "marks_and_claims_usd_a_million": _rounded(
            sum(each.usd + each.backup_usd for each in of_marks)
        ),
    }


def _classes(load: Workload, sizes: Batches, prices: Prices) -> list[Document]:
    return [
        {
            "table": each.table,
            "billing": billing.value,
            "infrequent_access_dearer_usd": _rounded(each.dearer_usd),
            "infrequent_access_cheaper_usd_a_month": _rounded(each.cheaper_usd_a_month),
            "cheaper_after_months": _rounded(each.months),
        }
        for billing in Billing
        for each in classes(load, sizes, billing, prices)
    ]


def _rounded(value: float) -> float:
    """The figure rounded to four digits, so that it looks as exact as it is."""
    return float(f"{value:.{_DIGITS}g}")
