"""The path by functions of domain and contracts only: claim, log objects, records, counting.

No Lambda function takes part, so only the rules themselves are shown, and measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from falcon_balances.adapters.ports import BalanceStore, EventClaims, LogObject, TransactionLog
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.stream_records import (
    CutRecordV1,
    SegmentRecordV1,
    parse_stream_record,
)
from falcon_balances.domain.direct_operations import DirectOperation, PayoutRequest, StagedOperation
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, Merchant
from falcon_balances.domain.parts import ArrivedSegment, CountablePart, countable_parts
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import sale_effect
from falcon_balances.domain.splitting import split, split_direct
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.transactions import joined, transactions, writes_of


def claim_of(
    operation: StagedOperation,
    received_at: str,
    histories: Mapping[ContextKey, ContextHistory],
    merchants: Mapping[str, Merchant] | None = None,
) -> ClaimV1:
    """An operation's claim; a payout's is paid. `merchants`: those that direct operations name."""
    if isinstance(operation, DirectOperation):
        event = split_direct(operation, (merchants or {}).get(operation.merchant_id))
        state = PayoutState.PAID.value if isinstance(operation, PayoutRequest) else None
        return ClaimV1.of(operation, received_at, event, state)
    return ClaimV1.of(operation, received_at, split(operation, histories))


def persist_claim(claim: ClaimV1, claims: EventClaims, log: TransactionLog) -> None:
    """Writes a new claim and its log objects."""
    assert claims.claim(claim) is None  # noqa: S101 - whoever calls this made it only once
    for segment in claim.segments:
        logged = LogObject(claim.body_of(segment).encode(), claim.log_metadata(segment))
        assert log.append(segment.log_key, logged) is not None  # noqa: S101 - as above


def records_of(claim: ClaimV1) -> list[bytes]:
    """The records that the publisher puts on the stream if the log's bucket has no versions."""
    return [
        SegmentRecordV1.of(claim, segment, "null").model_dump_json().encode()
        for segment in claim.segments
    ]


def parts_of(records: Sequence[bytes], window: datetime) -> Iterator[CountablePart]:
    """The countable parts of the records' segments, all in one quarter."""
    for data in records:
        record = parse_stream_record(data)
        assert not isinstance(record, CutRecordV1)  # noqa: S101 - only segments are counted so
        yield from countable_parts(
            ArrivedSegment(
                record.to_segment(),
                window,
                record.log_key,
                record.fingerprint,
                sale=tuple(each.to_part() for each in record.sale),
            )
        )


def count(records: Sequence[bytes], window: datetime, store: BalanceStore) -> None:
    """Counts records as the reducer counts a batch of which nothing was counted before."""
    for group in transactions(list(parts_of(records, window))):
        standings = {part.change.key for part in group if part.change is not None}
        of_sales = [each for part in group for each in part.sale_parts]
        operations = {each.operation_item for each in of_sales if each.operation_item is not None}
        found = store.items(standings | operations)
        counted, written = joined(
            group,
            {key: Standing.from_attributes(key, found[key]) for key in standings & set(found)},
        )
        seen = {
            key: SaleOperation.from_attributes(key, found[key]) for key in operations & set(found)
        }
        effect = sale_effect(of_sales, seen)
        failed = store.transact(writes_of(counted, [*written, *effect.writes()]))
        assert not failed  # noqa: S101 - nobody else writes meanwhile
