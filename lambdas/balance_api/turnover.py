"""A month's turnover by operation date: from the table's days, or added up from the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from falcon_balances.adapters.ports import MerchantReads, TransactionLog
from falcon_balances.contracts.queries import TurnoverQuery
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.history import last_day_before
from falcon_balances.domain.operations import Stage
from lambdas.balance_api.edge import InvalidParameterError
from lambdas.balance_api.parameters import month_of, zone_of

Sums = Mapping[tuple[Stage, str], int]


@dataclass(slots=True)
class Turnover:
    """Sums by currency, stage and type, as they are added up. `late` as `MerchantReads` says it."""

    sums: dict[str, dict[tuple[Stage, str], int]] = field(default_factory=dict)
    late_sums: dict[str, dict[tuple[Stage, str], int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    late: Sequence[CountedOrder] | None = None
    objects_read: int | None = None

    def add(self, currency: str, count: int, sums: Sums, late: Sums) -> None:
        self.counts[currency] = self.counts.get(currency, 0) + count
        _add(self.sums.setdefault(currency, {}), sums)
        _add(self.late_sums.setdefault(currency, {}), late)


def table_turnover(reads: MerchantReads, query: TurnoverQuery, late_max: int) -> Turnover:
    if query.time_zone != "UTC":
        raise InvalidParameterError("time_zone", "another than UTC needs `source=log`")
    start, end = month_of("month", query.month)
    learned = Turnover(late=reads.late(query.month, late_max))
    for day in reads.days(start.date().isoformat(), last_day_before(end)):
        learned.add(day.balance.currency, day.operations_count, day.sums, day.late)
    return learned


def log_turnover(
    log: TransactionLog, merchant_id: str, query: TurnoverQuery, objects_max: int
) -> Turnover:
    month_of("month", query.month)
    zone = zone_of("time_zone", query.time_zone)
    segments = log.segments_of(merchant_id, objects_max)
    learned = Turnover(objects_read=len(segments))
    for segment in segments:
        if _month_in(zone, segment.booked_at) == query.month:
            for line in segment.lines:
                sums = {(segment.stage, line.type.value): line.amount.minor}
                learned.add(line.currency.code, 1, sums, {})
    return learned


def _month_in(zone: ZoneInfo, instant: datetime) -> str | None:
    """None at the ends of the calendar, where the zone's own time would be outside it."""
    try:
        local = instant.astimezone(zone)
    except OverflowError:
        return None
    return f"{local.year:04d}-{local.month:02d}"


def _add(total: dict[tuple[Stage, str], int], added: Sums) -> None:
    for name, amount in added.items():
        total[name] = total.get(name, 0) + amount
