"""The reads of one merchant (design §8), the same for merchants and for systems."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Annotated, Final
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BaseModel

from falcon_balances.adapters.ports import MerchantReads, TransactionLog
from falcon_balances.contracts.balance_document import BalanceDocumentV1, balance_document
from falcon_balances.contracts.finding_documents import FindingsV1, FindingV1
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
    unreconciled_sums,
)
from falcon_balances.contracts.past_documents import (
    BalanceHistoryV1,
    BalancesAtV1,
    FiguresV1,
    HistoryV1,
    LateOperationV1,
    StatementBalanceV1,
    StatementLineV1,
    StatementV1,
    TurnoverV1,
    balances_at,
    statement_csv,
    turnover_of,
)
from falcon_balances.contracts.queries import (
    BalancesQuery,
    FindingsQuery,
    HistoryQuery,
    OperationsQuery,
    StatementQuery,
    TurnoverQuery,
    UnreconciledQuery,
)
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.history import (
    NotClosedError,
    block_ids,
    last_day_before,
    parse_month,
    parse_quarter,
)
from falcon_balances.domain.identity import payout_operation_id
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.operations import OperationType, main_line
from falcon_balances.domain.standing import Standing
from lambdas.balance_api.cursors import Cursors
from lambdas.balance_api.documented import DOCS
from lambdas.balance_api.edge import Api, InvalidParameterError
from lambdas.balance_api.parameters import (
    FIRST,
    OPERATION_ID,
    check_range,
    finding_after,
    instant_of,
    order_of,
    quarter_or_none,
    without_page,
)
from lambdas.balance_api.reading import (
    OperationFilter,
    StatementReader,
    log_balances,
    log_figures,
    read_operations,
    read_past,
    read_referenced,
)
from lambdas.balance_api.sale_stories import sale_of
from lambdas.balance_api.turnover import log_turnover, table_turnover

LATE_SHOWN_MAX: Final = 100
OPEN_MAX: Final = 20_000
_DAY: Final = timedelta(days=1)

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
        self._for_systems = tag == "systems"
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
            ("/findings", self.findings, FindingsQuery),
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
            at = instant_of("at", text, parse_rfc3339)
            as_of = sources.reads.as_of()
            merchant_id = sources.reads.merchant_id
            segments = sources.log.segments_of(merchant_id, sources.log_objects_max)
            figures, objects_read = log_figures(segments, at), len(segments)
            if not segments:
                raise NotFoundError
        else:
            at = instant_of("at", text, parse_quarter)
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
        start, end = quarter_or_none("from", query.start), quarter_or_none("to", query.end)
        if end is None:
            known = sources.reads.as_of()
            if known is None:
                raise NotClosedError(None)
            end = closed_until(known)
        start = max(end, FIRST + _DAY) - _DAY if start is None else start
        check_range(start, end)
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
                balances=tuple(BalanceHistoryV1.of(key, past, (start, end), days) for key in keys),
            )
        )

    def operations(
        self, merchant_id: MerchantId, query: Annotated[OperationsQuery, Query()]
    ) -> Response[str]:
        sources, now = self._sources_of(merchant_id), self.now()
        wanted = OperationFilter(
            quarter_or_none("from", query.start),
            quarter_or_none("to", query.end),
            query.type,
            query.stage,
            query.balance_shop_id,
            query.psp_id,
        )
        if wanted.start is not None and wanted.end is not None and wanted.start >= wanted.end:
            raise InvalidParameterError("to", "must be after `from`")
        cursors = Cursors("operations", merchant_id, without_page(query))
        after = order_of(cursors.read(query.cursor), *wanted.bounds)
        as_of = sources.reads.indexed_as_of(now)
        read = (
            read_operations
            if query.reference is None
            else partial(read_referenced, query.reference)
        )
        marks, position = read(
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
        if not OPERATION_ID.fullmatch(falcon_operation_id):
            raise NotFoundError
        as_of = reads.as_of()
        claims = reads.claims(falcon_operation_id)
        if not claims:
            raise NotFoundError
        marks = {mark.staged: mark for mark in reads.marks_of(falcon_operation_id)}
        own = next(each for each in claims[0].segments if each.merchant_id == merchant_id)
        main = main_line(claims[0].lines_of(own))
        blocks = (reads.block(each) for each in block_ids(falcon_operation_id, marks.values()))
        return self._api.answer(
            OperationStoryV1(
                **freshness(merchant_id, as_of, now),
                falcon_operation_id=falcon_operation_id,
                type=main.type.value,
                psp_id=main.psp_id,
                external_reference=main.external_reference,
                stages=tuple(
                    StageStoryV1.of(
                        claim,
                        merchant_id,
                        marks.get(claim.staged),
                        for_systems=self._for_systems,
                    )
                    for claim in claims
                ),
                blocks=tuple(SetAsideV1.of(block) for block in blocks if block is not None),
                sale=sale_of(main, reads),
                corrected_by=tuple(reads.corrections(falcon_operation_id)),
                returned_by=tuple(each for claim in claims for each in claim.returned_by),
                returns=(
                    payout_operation_id(merchant_id, main.external_reference)
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
        if query.source == "log":
            learned = log_turnover(sources.log, merchant_id, query, sources.log_objects_max)
        else:
            learned = table_turnover(sources.reads, query, LATE_SHOWN_MAX + 1)
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
        cursors = Cursors(f"statements/{month}", merchant_id, without_page(query))
        after = order_of(cursors.read(query.cursor), rfc3339(start), rfc3339(end))
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
        cursors = Cursors("unreconciled", merchant_id, without_page(query))
        after = cursors.read(query.cursor) or ""
        as_of = sources.reads.indexed_as_of(now)
        found = sources.reads.open_standings(OPEN_MAX + 1)
        if len(found) > OPEN_MAX:
            raise InvalidParameterError(
                "older_than_days",
                f"more than {OPEN_MAX} operations are open: use `falcon audit trial-balance`",
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

    def findings(
        self, merchant_id: MerchantId, query: Annotated[FindingsQuery, Query()]
    ) -> Response[str]:
        sources, now = self._sources_of(merchant_id), self.now()
        cursors = Cursors("findings", merchant_id, without_page(query))
        after = finding_after(cursors.read(query.cursor))
        as_of = sources.reads.as_of()
        found = sources.reads.findings(after, query.limit + 1)
        if not found and after is None:
            self._known(sources)
        shown = found[: query.limit]
        following = cursors.write(shown[-1].sk) if len(found) > query.limit else None
        return self._api.answer(
            FindingsV1(
                **freshness(merchant_id, as_of, now),
                findings=tuple(map(FindingV1.of, shown)),
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


def _by_age(standing: Standing) -> str:
    return f"{standing.operation_date}#{standing.falcon_operation_id}"
