"""Holds back records that cannot be counted yet.

A revision must be counted after the one that it revises; publishers send them in this order. If the
earlier revision is missing all the same, or if a record has a newer version than this code can
read, the record is parked: its bytes go to quarantine, everything else is counted, and no cut is
met until the record was sent again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.adapters.stage_ports import Quarantine, QuarantinedBody
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.errors import RejectionCode, TransientError
from falcon_balances.domain.instants import parse_rfc3339
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
    """A revision in a batch. `is_behind`: the revision before it is earlier in the shard: in this
    batch, or counted already.
    """

    record: StreamRecord
    mark: ItemKey
    predecessor: ItemKey
    is_behind: bool


def predecessor_of(ours: SegmentRecordV1, segment: Segment) -> ItemKey | None:
    """The mark of the revision that must be counted before this one; None if there is none."""
    if ours.after is None:
        return None
    key = MarkKey(segment.falcon_operation_id, staged(segment.stage, ours.after))
    return ItemKey(merchant_pk(segment.merchant_id), key.sk)


def counted_windows(marks: Collection[ItemKey], store: BalanceStore) -> dict[ItemKey, datetime]:
    """The quarters in which those of the marks are counted that exist. One read for a hundred."""
    wanted = sorted(marks)
    return {
        mark: parse_rfc3339(str(said["window"]))
        for start in range(0, len(wanted), _KEYS_PER_GET)
        for mark, said in store.items(wanted[start : start + _KEYS_PER_GET]).items()
    }


def without_predecessor(revisions: Sequence[Awaiting]) -> list[Awaiting]:
    """The revisions whose predecessor is neither counted nor earlier in the batch."""
    held: dict[ItemKey, Awaiting] = {}
    for each in revisions:
        if not each.is_behind or each.predecessor in held:
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
