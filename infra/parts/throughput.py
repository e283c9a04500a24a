"""How a table's units are paid for: on demand, or provided by the hour and scaled with the load."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Final, NamedTuple

from aws_cdk import aws_dynamodb as dynamodb

from infra.environments.settings import Provided

USED_PERCENT: Final = 70


class Units(NamedTuple):
    """Read and write units of one message, if nothing is merged."""

    reads: float
    writes: float


CLAIMS: Final = Units(1, 1)
BALANCES: Final = Units(2.5, 11)
# Indexes are read by merchants and by the expirer, not by messages.
INDEXES: Final[Mapping[str, Units]] = {
    "by-window": Units(1, 1),
    "by-expiry": Units(1, 1),
    "by-open": Units(1, 1),
    "by-reference": Units(1, 0.5),
}


def billing(provided: Provided | None, units: Units | None) -> dict[str, Any]:
    """The properties of a table. `units` is None for a table that is always on demand."""
    if provided is None or units is None:
        return {"billing_mode": dynamodb.BillingMode.PAY_PER_REQUEST}
    return {"billing_mode": dynamodb.BillingMode.PROVISIONED, **capacity(provided, units)}


def capacity(provided: Provided | None, units: Units) -> dict[str, Any]:
    """The units that a table or an index begins with."""
    if provided is None:
        return {}
    least = provided.least
    return {
        "read_capacity": _provided(least, units.reads),
        "write_capacity": _provided(least, units.writes),
    }


def scale(table: dynamodb.Table, provided: Provided, units: Units) -> None:
    _scale(table.auto_scale_read_capacity, provided, units.reads)
    _scale(table.auto_scale_write_capacity, provided, units.writes)


def scale_indexes(table: dynamodb.Table, provided: Provided) -> None:
    for name, (reads, writes) in INDEXES.items():
        _scale(table.auto_scale_global_secondary_index_read_capacity, provided, reads, name)
        _scale(table.auto_scale_global_secondary_index_write_capacity, provided, writes, name)


def _scale(
    auto_scale: Callable[..., dynamodb.IScalableTableAttribute],
    provided: Provided,
    units: float,
    *index: str,
) -> None:
    auto_scale(
        *index,
        min_capacity=_provided(provided.least, units),
        max_capacity=_provided(provided.most, units),
    ).scale_on_utilization(target_utilization_percent=USED_PERCENT)


def _provided(per_second: int, units: float) -> int:
    """The provided units of which the load uses the target share."""
    return ceil(per_second * units * 100 / USED_PERCENT)
