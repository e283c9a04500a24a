"""The reads of one merchant (design §8), the same for merchants and for systems."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BaseModel

from falcon_balances.adapters.ports import MerchantReads, TransactionLog
from falcon_balances.contracts.balance_document import BalanceDocumentV1, balance_document
from falcon_balances.contracts.fresh import freshness
from falcon_balances.contracts.operation_documents import (
    OperationPageV1,
    OperationStoryV1,
    OperationV1,
    SetAsideV1,
    StageStoryV1,
    UnreconciledOperationV1,
    UnreconciledV1,
    age_days,
    main_line,
    unreconciled_sums,
)
from falcon_balances.contracts.past_documents import (
    BalanceHistoryV1,
    BalancesAtV1,
    DayV1,
    FiguresV1,
    HistoryV1,
    LateOperationV1,
    StatementBalanceV1,
    StatementLineV1,
    StatementV1,
    StepV1,
    TurnoverV1,
    balances_at,
    statement_csv,
    turnover_of,
)
from falcon_balances.contracts.queries import (
    HISTORY_DAYS_MAX,
    BalancesQuery,
    HistoryQuery,
    OperationsQuery,
    StatementQuery,
    TurnoverQuery,
    UnreconciledQuery,
)
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.history import (
    BalanceKey,
    NotClosedError,
    Past,
    last_day_before,
    parse_month,
    parse_quarter,
)
from falcon_balances.domain.identity import payout_operation_id, payout_return_id
from falcon_balances.domain.instants import QUARTER, parse_rfc3339, rfc3339
from falcon_balances.domain.operations import BalanceOperation, OperationType, Stage
from falcon_balances.domain.pairing import Pairing
from lambdas.balance_api.cursors import Cursors
from lambdas.balance_api.documented import DOCS
from lambdas.balance_api.edge import Api, InvalidParameterError
from lambdas.balance_api.reading import (
    OperationFilter,
    StatementReader,
    log_balances,
    log_figures,
    read_operations,
    read_past,
)

LATE_SHOWN_MAX: Final = 100
PAIRINGS_MAX: Final = 20_000
_OPERATION_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DAY: Final = timedelta(days=1)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)

MerchantId = Annotated[str, Path(description="The merchant's global id.")]
BalanceShopId = Annotated[str, Path(description="A balance of the merchant.")]


@dataclass(frozen=True, slots=True)
class Sources:
    """What one caller may read: one merchant's items, and its log."""

    reads: MerchantReads
    log: TransactionLog
    log_objects_max: int


class MerchantRoutes:
    """`sources_of` says who asks: it raises NotFoundError for a merchant that is not the caller's,
    before anything is read of it.
    """

    def __init__(
        self,
        api: Api,
        root: str,
        sources_of: Callable[[str], Sources],
        now: Callable[[], datetime],
        tag: str,
    ) -> None:
        self._api = api
        self._sources_of = sources_of
        self.now = now
        for path, handler, query in (
            ("/balances", self.balances, BalancesQuery),
            ("/balances/<balance_shop_id>", self.balance, BalancesQuery),
            ("/balances/<balance_shop_id>/history", self.history, HistoryQuery),
            ("/operations", self.operations, OperationsQuery),
            ("/operations/<falcon_operation_id>", self.operation, None),
            ("/turnover", self.turnover, TurnoverQuery),
            ("/statements/<month>", self.statement, StatementQuery),
            ("/unreconciled", self.unreconciled, UnreconciledQuery),
        ):
            name = handler.__name__
            docs = {**DOCS[name], "tags": [tag], "operation_id": f"{tag}_{name}"}
            api.add("GET", f"{root}{path}", handler, query, enable_validation=True, **docs)

    def balances(
        self, merchant_id: MerchantId, query: Annotated[BalancesQuery, Query()]
    ) -> Response[str]:
        return self._balances(merchant_id, None, query)

    def balance(
        self,
        merchant_id: MerchantId,
        balance_shop_id: BalanceShopId,
        query: Annotated[BalancesQuery, Query()],
    ) -> Response[str]:
        return self._balances(merchant_id, balance_shop_id, query)

    def _balances(
        self, merchant_id: str, balance_shop_id: str | None, query: BalancesQuery
    ) -> Response[str]:
        sources = self._sources_of(merchant_id)
        if query.at is not None:
            return self._balances_at(sources, balance_shop_id, query, query.at)
        as_of = sources.reads.as_of()  # first, so that all that reached the stream by then is in
        found = sources.reads.balances()
        objects_read = None
        if query.source == "log":
            segments = sources.log.segments_of(merchant_id, sources.log_objects_max)
            found, objects_read = log_balances(segments, found), len(segments)
        found = [each for each in found if balance_shop_id in (None, each.balance_shop_id)]
        if not found:
            raise NotFoundError
        document = balance_document(
            merchant_id, as_of, found, now=self.now(), objects_read=objects_read
        )
        return self._unless_known(document)

    def _unless_known(self, document: BalanceDocumentV1) -> Response[str]:
        """304 for who has the same already: `as_of` is part of it, the lag behind it is not."""
        said = document.model_dump_json(exclude={"lag_seconds"})
        tag = f'W/"{sha256(said.encode()).hexdigest()[:32]}"'
        # RFC 9110, 13.1.2: compared weakly.
        known = self._api.app.current_event.headers.get("if-none-match", "")
        tags = {each.strip().removeprefix("W/") for each in known.split(",")}
        if tags & {tag.removeprefix("W/"), "*"}:
            return self._api.not_modified({"ETag": tag})
        return self._api.answer(document, headers={"ETag": tag})

    def _balances_at(
        self, sources: Sources, balance_shop_id: str | None, query: BalancesQuery, text: str
    ) -> Response[str]:
        now, objects_read = self.now(), None
        if query.source == "log":
            at = _instant("at", text, parse_rfc3339)
            as_of = sources.reads.as_of()
            merchant_id = sources.reads.merchant_id
            segments = sources.log.segments_of(merchant_id, sources.log_objects_max)
            figures, objects_read = log_figures(segments, at), len(segments)
            if not segments:
                raise NotFoundError
        else:
            at = _instant("at", text, parse_quarter)
            as_of, past = read_past(sources.reads, at, now)
            figures = past.at(at)
        # A balance that began later was not there: else a closed quarter's answer would grow.
        figures = {
            key: value
            for key, value in figures.items()
            if balance_shop_id in (None, key.balance_shop_id) and value.operations_count
        }
        if not figures and balance_shop_id is not None:
            raise NotFoundError
        return self._api.answer(
            BalancesAtV1(
                **freshness(sources.reads.merchant_id, as_of, now),
                at=rfc3339(at),
                by="operation_date" if query.source == "log" else "counting",
                source=query.source,
                objects_read=objects_read,
                balances=balances_at(figures),
            )
        )

    def history(
        self,
        merchant_id: MerchantId,
        balance_shop_id: BalanceShopId,
        query: Annotated[HistoryQuery, Query()],
    ) -> Response[str]:
        sources, now = self._sources_of(merchant_id), self.now()
        start, end = _optional("from", query.start), _optional("to", query.end)
        if end is None:
            known = sources.reads.as_of()
            if known is None:
                raise NotClosedError(None)
            end = closed_until(known)
        start = max(end, _FIRST + _DAY) - _DAY if start is None else start
        _check_range(start, end)
        as_of, past = read_past(sources.reads, start, now)
        if end > past.closed_until:
            raise NotClosedError(past.closed_until)
        keys = [key for key in sorted(past.closing) if key.balance_shop_id == balance_shop_id]
        if not keys:
            raise NotFoundError
        days = sources.reads.days(start.date().isoformat(), last_day_before(end))
        return self._api.answer(
            HistoryV1(
                **freshness(merchant_id, as_of, now),
                start=rfc3339(start),
                end=rfc3339(end),
                closed_until=rfc3339(past.closed_until),
                balances=tuple(
                    _history_of(key, past, (start, end)).model_copy(
                        update={"days": tuple(DayV1.of(day) for day in days if day.balance == key)}
                    )
                    for key in keys
                ),
            )
        )

    def operations(
        self, merchant_id: MerchantId, query: Annotated[OperationsQuery, Query()]
    ) -> Response[str]:
        sources, now = self._sources_of(merchant_id), self.now()
        wanted = OperationFilter(
            _optional("from", query.start),
            _optional("to", query.end),
            query.type,
            query.stage,
            query.balance_shop_id,
            query.psp_id,
        )
        if wanted.start is not None and wanted.end is not None and wanted.start >= wanted.end:
            raise InvalidParameterError("to", "must be after `from`")
        cursors = Cursors("operations", merchant_id, _without_page(query))
        after = _order(cursors.read(query.cursor), *wanted.bounds)
        as_of = sources.reads.indexed_as_of(now)
        marks, position = read_operations(
            sources.reads,
            wanted,
            query.limit,
            after=after,
            newest_first=query.order == "newest_first",
        )
        if not marks and query.cursor is None:
            self._known(sources)
        following = None if position is None else cursors.write(position)
        return self._api.answer(
            OperationPageV1(
                **freshness(merchant_id, as_of, now),
                operations=tuple(OperationV1.of(mark) for mark in marks),
                next_cursor=following,
            ),
            headers=self._link(query, following),
        )

    def operation(self, merchant_id: MerchantId, falcon_operation_id: str) -> Response[str]:
        sources, now = self._sources_of(merchant_id), self.now()
        reads = sources.reads
        if not _OPERATION_ID.fullmatch(falcon_operation_id):
            raise NotFoundError
        as_of = reads.as_of()
        claims = reads.claims(falcon_operation_id)
        if not claims:
            raise NotFoundError
        marks = {mark.stage: mark for mark in reads.marks_of(falcon_operation_id)}
        own = next(each for each in claims[0].segments if each.merchant_id == merchant_id)
        main = main_line(own.lines())
        block = reads.block(falcon_operation_id)
        return self._api.answer(
            OperationStoryV1(
                **freshness(merchant_id, as_of, now),
                falcon_operation_id=falcon_operation_id,
                type=main.type.value,
                psp_id=main.psp_id,
                external_reference=main.external_reference,
                stages=tuple(
                    StageStoryV1.of(claim, merchant_id, marks.get(claim.stage)) for claim in claims
                ),
                block=None if block is None else SetAsideV1.of(block),
                corrected_by=tuple(reads.corrections(falcon_operation_id)),
                returned_by=_return_of(main, reads),
                returns=(
                    payout_operation_id(main.external_reference)
                    if main.type is OperationType.WITHDRAWAL_REVERSAL
                    else None
                ),
            )
        )

    def turnover(
        self, merchant_id: MerchantId, query: Annotated[TurnoverQuery, Query()]
    ) -> Response[str]:
        sources, now = self._sources_of(merchant_id), self.now()
        as_of = sources.reads.as_of()
        learned = (self._log_turnover if query.source == "log" else self._turnover)(sources, query)
        if not learned.sums:
            self._known(sources)
        late = learned.late
        shown = None if late is None else late[:LATE_SHOWN_MAX]
        return self._api.answer(
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

    def _turnover(self, sources: Sources, query: TurnoverQuery) -> "_Turnover":
        if query.time_zone != "UTC":
            raise InvalidParameterError("time_zone", "another than UTC needs `source=log`")
        start, end = _month("month", query.month)
        learned = _Turnover(late=sources.reads.late(query.month, LATE_SHOWN_MAX + 1))
        for day in sources.reads.days(start.date().isoformat(), last_day_before(end)):
            learned.add(day.balance.currency, day.operations_count, day.sums, day.late)
        return learned

    def _log_turnover(self, sources: Sources, query: TurnoverQuery) -> "_Turnover":
        _month("month", query.month)
        zone = _zone(query.time_zone)
        segments = sources.log.segments_of(sources.reads.merchant_id, sources.log_objects_max)
        learned = _Turnover(objects_read=len(segments))
        for segment in segments:
            if _month_in(zone, segment.booked_at) == query.month:
                for line in segment.lines:
                    sums = {(segment.stage, line.type.value): line.amount.minor}
                    learned.add(line.currency.code, 1, sums, {})
        return learned

    def statement(
        self,
        merchant_id: MerchantId,
        month: Annotated[str, Path(description="`YYYY-MM`, UTC.")],
        query: Annotated[StatementQuery, Query()],
    ) -> Response[str]:
        sources, now = self._sources_of(merchant_id), self.now()
        try:
            start, end = parse_month(month)
        except ValueError:
            raise NotFoundError from None
        cursors = Cursors(f"statements/{month}", merchant_id, _without_page(query))
        after = _order(cursors.read(query.cursor), rfc3339(start), rfc3339(end))
        as_of, past = read_past(sources.reads, start, now)
        if end > past.closed_until:
            raise NotClosedError(past.closed_until)
        opening, closing = past.at(start), past.at(end)
        keys = [
            key
            for key in sorted(closing)
            if query.balance_shop_id in (None, key.balance_shop_id)
            and closing[key].operations_count > 0
        ]
        if not keys:
            raise NotFoundError
        lines, position = StatementReader(sources.reads, past, end).page(
            after, query.limit, query.balance_shop_id
        )
        following = None if position is None else cursors.write(position)
        headers = self._link(query, following)
        balances = tuple(
            StatementBalanceV1(
                balance_shop_id=key.balance_shop_id,
                currency=key.currency,
                opening=FiguresV1.of(opening[key], key.currency),
                closing=FiguresV1.of(closing[key], key.currency),
            )
            for key in keys
        )
        if query.format == "csv":
            name = f"statement-{merchant_id}-{month}.csv".replace(":", "_")
            body = statement_csv(
                balances,
                ((each.mark, each.line, each.running) for each in lines),
                (start, end),
                is_first=after is None,
                is_last=following is None,
            )
            headers = headers | {"Content-Disposition": f'attachment; filename="{name}"'}
            return self._api.text("text/csv; charset=utf-8", body, headers)
        return self._api.answer(
            StatementV1(
                **freshness(merchant_id, as_of, now),
                month=month,
                start=rfc3339(start),
                end=rfc3339(end),
                balances=balances,
                lines=tuple(
                    StatementLineV1.of(each.mark, each.line, each.running) for each in lines
                ),
                next_cursor=following,
            ),
            headers=headers,
        )

    def unreconciled(
        self, merchant_id: MerchantId, query: Annotated[UnreconciledQuery, Query()]
    ) -> Response[str]:
        sources, now = self._sources_of(merchant_id), self.now()
        cursors = Cursors("unreconciled", merchant_id, _without_page(query))
        after = cursors.read(query.cursor) or ""
        as_of = sources.reads.as_of()
        found = sources.reads.pairings(PAIRINGS_MAX + 1)
        if len(found) > PAIRINGS_MAX:
            raise InvalidParameterError(
                "older_than_days",
                f"more than {PAIRINGS_MAX} operations are open: use `falcon audit reconcile`",
            )
        if not found:
            self._known(sources)
        aged = sorted(
            (each for each in found if age_days(each, now) >= query.older_than_days), key=_by_age
        )
        page = [each for each in aged if _by_age(each) > after][: query.limit + 1]
        shown = page[: query.limit]
        following = cursors.write(_by_age(shown[-1])) if len(page) > query.limit else None
        return self._api.answer(
            UnreconciledV1(
                **freshness(merchant_id, as_of, now),
                older_than_days=query.older_than_days,
                sums=unreconciled_sums(aged),
                operations=tuple(UnreconciledOperationV1.of(each, now) for each in shown),
                next_cursor=following,
            ),
            headers=self._link(query, following),
        )

    def _known(self, sources: Sources) -> None:
        """Nothing there of somebody nobody knows is not found, not empty."""
        if not sources.reads.balances():
            raise NotFoundError

    def _link(self, query: BaseModel, cursor: str | None) -> dict[str, str]:
        """RFC 8288; relative to the address that was asked."""
        if cursor is None:
            return {}
        said = query.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {"Link": f'<?{urlencode({**said, "cursor": cursor})}>; rel="next"'}


@dataclass(slots=True)
class _Turnover:
    """Sums by currency, stage and type, as they are added up. `late` as `MerchantReads` says it."""

    sums: dict[str, dict[tuple[Stage, str], int]] = field(default_factory=dict)
    late_sums: dict[str, dict[tuple[Stage, str], int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    late: Sequence[str] | None = None
    objects_read: int | None = None

    def add(
        self,
        currency: str,
        count: int,
        sums: Mapping[tuple[Stage, str], int],
        late: Mapping[tuple[Stage, str], int],
    ) -> None:
        self.counts[currency] = self.counts.get(currency, 0) + count
        _add(self.sums.setdefault(currency, {}), sums)
        _add(self.late_sums.setdefault(currency, {}), late)


def _history_of(key: BalanceKey, past: Past, period: tuple[datetime, datetime]) -> BalanceHistoryV1:
    start, end = period
    opening = past.at(start)[key]
    steps, running = [], opening
    for window in past.between(start, end):
        if window.balance == key:
            after = running + window.change
            steps.append(
                StepV1(
                    start=rfc3339(window.start),
                    end=rfc3339(window.start + QUARTER),
                    opening=FiguresV1.of(running, key.currency),
                    closing=FiguresV1.of(after, key.currency),
                )
            )
            running = after
    return BalanceHistoryV1(
        balance_shop_id=key.balance_shop_id,
        currency=key.currency,
        opening=FiguresV1.of(opening, key.currency),
        closing=FiguresV1.of(past.at(end)[key], key.currency),
        steps=tuple(steps),
        days=(),
    )


def _return_of(main: BalanceOperation, reads: MerchantReads) -> str | None:
    if main.type is not OperationType.WITHDRAWAL:
        return None
    returned = payout_return_id(main.external_reference)
    return returned if reads.claims(returned) else None


def _by_age(pairing: Pairing) -> str:
    return f"{pairing.operation_date}#{pairing.falcon_operation_id}"


def _add(total: dict[tuple[Stage, str], int], added: Mapping[tuple[Stage, str], int]) -> None:
    for name, amount in added.items():
        total[name] = total.get(name, 0) + amount


def _instant(name: str, text: str, parse: Callable[[str], datetime]) -> datetime:
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidParameterError(name, str(error)) from None


def _optional(name: str, text: str | None) -> datetime | None:
    return None if text is None else _instant(name, text, parse_quarter)


def _month(name: str, text: str) -> tuple[datetime, datetime]:
    try:
        return parse_month(text)
    except ValueError as error:
        raise InvalidParameterError(name, str(error)) from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is no zone
        raise InvalidParameterError("time_zone", "no such IANA time zone") from None


def _month_in(zone: ZoneInfo, instant: datetime) -> str | None:
    """None at the ends of the calendar, where the zone's own time would be outside it."""
    try:
        local = instant.astimezone(zone)
    except OverflowError:
        return None
    return f"{local.year:04d}-{local.month:02d}"


def _check_range(start: datetime, end: datetime) -> None:
    if start >= end:
        raise InvalidParameterError("to", "must be after `from`")
    if end - start > timedelta(days=HISTORY_DAYS_MAX):
        raise InvalidParameterError("from", f"more than {HISTORY_DAYS_MAX} days before `to`")


def _order(position: str | None, start: str, end: str) -> str | None:
    """A cursor that somebody made up may hold anything."""
    if position is None:
        return None
    try:
        window, booked, operation_id, stage = position.split("#")
        parse_quarter(window), parse_rfc3339(booked), Stage(stage)
        is_ours = bool(_OPERATION_ID.fullmatch(operation_id)) and start <= position <= end
    except ValueError:
        is_ours = False
    if not is_ours or window[-1] + booked[-1] != "ZZ":
        raise InvalidParameterError("cursor", "not one of this merchant, route and query")
    return position


def _without_page(query: BaseModel) -> dict[str, Any]:
    return query.model_dump(mode="json", exclude={"cursor", "limit"}, exclude_none=True)
