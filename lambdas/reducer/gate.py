"""Holds back records that cannot be counted yet.

A revision must be counted after the one that it revises; publishers send them in this order. If the
earlier revision is missing all the same, or if a record has a newer version than this code can
read, the record is parked: its bytes go to quarantine, everything else is counted, and no cut is
met until the record was sent again.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.adapters.stage_ports import Quarantine, QuarantinedBody
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.errors import RejectionCode, TransientError
from falcon_balances.domain.operations import Segment, staged
from falcon_balances.domain.table_keys import ItemKey, merchant_pk
from falcon_balances.observability import logger, metrics
from lambdas.reducer.records import StreamRecord

# The names of all parked records are in one item of at most 400 KB. Beyond this number, no shard
# continues until a person has looked.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
PARKED_MAX: Final = 1_000
_KEYS_PER_GET: Final = 100  # of BatchGetItem


class Awaiting(NamedTuple):
    """A revision in a batch. `is_behind`: the revision before it is earlier in the batch."""

    record: StreamRecord
    mark: ItemKey
    predecessor: ItemKey
    is_behind: bool


def awaiting(
    record: StreamRecord, ours: SegmentRecordV1, segment: Segment, before: Mapping[ItemKey, object]
) -> Awaiting | None:
    """A record's revision if it must wait for another one, else None. `before`: the marks of parts
    earlier in the batch.
    """
    if ours.after is None:
        return None
    pk, operation_id = merchant_pk(segment.merchant_id), segment.falcon_operation_id
    predecessor = ItemKey(pk, MarkKey(operation_id, staged(segment.stage, ours.after)).sk)
    mark = ItemKey(pk, MarkKey(operation_id, segment.staged).sk)
    return Awaiting(record, mark, predecessor, predecessor in before)


def without_predecessor(revisions: Sequence[Awaiting], store: BalanceStore) -> list[Awaiting]:
    """The revisions whose predecessor is neither counted nor earlier in the batch."""
    wanted = sorted({each.predecessor for each in revisions if not each.is_behind})
    counted: set[ItemKey] = set()
    for start in range(0, len(wanted), _KEYS_PER_GET):
        counted |= store.counted(wanted[start : start + _KEYS_PER_GET])
    held: dict[ItemKey, Awaiting] = {}
    for each in revisions:
        is_counted = each.predecessor in counted
        if not is_counted and (not each.is_behind or each.predecessor in held):
            held[each.mark] = each
    return list(held.values())


def park(
    records: Sequence[tuple[StreamRecord, str]],
    parked: frozenset[str],
    store: BalanceStore,
    quarantine: Quarantine,
) -> frozenset[str]:
    """The names of parked records. Raises TransientError above a thousand: the shard waits."""
    now = parked | {record.name for record, _ in records}
    if len(now) > PARKED_MAX:
        raise TransientError(f"more than {PARKED_MAX} records are parked")
    for record, reason in records:
        logger.error("record parked", reason=reason)
        metrics.add_metric(name="RecordsParked", unit="Count", value=1)
        quarantine.put(
            QuarantinedBody("parked", record.data, RejectionCode.RECORD, reason, record.arrived_at)
        )
    if now != parked:
        store.park(now - parked)
    return now
