"""`/turnover`: a month's turnover by operation date, from the table's days or from the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from falcon_balances.adapters.ports import MerchantReads, TransactionLog
from falcon_balances.contracts.fresh import freshness
from falcon_balances.contracts.queries import TurnoverQuery
from falcon_balances.contracts.turnover_documents import LateOperationV1, TurnoverV1, turnover_of
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.history import last_day_before
from falcon_balances.domain.operations import Stage
from lambdas.api_routes.context import MerchantId, RouteContext
from lambdas.api_routes.documented import documented
from lambdas.api_routes.edge import InvalidParameterError
from lambdas.api_routes.parameters import month_of, zone_of

LATE_SHOWN_MAX: Final = 100
Sums = Mapping[tuple[Stage, str], int]


class TurnoverRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        docs = documented(
            "A month's turnover by type and currency",
            "Operations belong to the month of their operation date, in UTC or, with "
            "`source=log`, in any time zone. The answer names what was counted after the month "
            "had ended.",
            TurnoverV1,
        )
        context.get("/turnover", self.turnover, TurnoverQuery, docs)

    def turnover(
        self, merchant_id: MerchantId, query: Annotated[TurnoverQuery, Query()]
    ) -> Response[str]:
        sources, now = self._context.sources_of(merchant_id), self._context.now()
        as_of = sources.reads.as_of()
        if query.source == "log":
            learned = log_turnover(sources.log, merchant_id, query, sources.log_objects_max)
        else:
            learned = table_turnover(sources.reads, query, LATE_SHOWN_MAX + 1)
        if not learned.sums:
            self._context.check_known(sources)
        late = learned.late
        shown = None if late is None else late[:LATE_SHOWN_MAX]
        return self._context.api.answer(
            TurnoverV1(
                **freshness(merchant_id, as_of, now),
                month=query.month,
                time_zone=query.time_zone,
                source=query.source,
                objects_read=learned.objects_read,
                currencies=turnover_of(learned.sums, learned.late_sums, learned.counts),
                late_operations=(
                    None
                    if shown is None
                    else tuple(LateOperationV1.of_order(order) for order in shown)
                ),
                has_more_late_operations=late is not None and len(late) > LATE_SHOWN_MAX,
            )
        )


@dataclass(slots=True)
class Turnover:
    """Sums by currency, stage and type. `late` is as `MerchantReads` gives it."""

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
        raise InvalidParameterError("time_zone", "a time zone other than UTC requires `source=log`")
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
    """The local month; None at the ends of the calendar, where no local time exists."""
    try:
        local = instant.astimezone(zone)
    except OverflowError:
        return None
    return f"{local.year:04d}-{local.month:02d}"


def _add(total: dict[tuple[Stage, str], int], added: Sums) -> None:
    for name, amount in added.items():
        total[name] = total.get(name, 0) + amount
