"""Items of one merchant that the tests of its reads count, and everything that is read of it."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from falcon_balances.adapters.ports import MerchantReads
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.blocks import (
    Block,
    Purpose,
    manual_block_id,
)
from falcon_balances.domain.direct_operations import Adjustment
from falcon_balances.domain.history import Mark
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.money import Money
from falcon_balances.domain.splitting import SplitEvent, direct_segment
from tests.builders import (
    RECEIVED_AT,
    operation_id_of,
    records_of,
)
from tests.component.ports.tables import (
    BS_1,
    BS_1_JPY,
    BS_10,
    EUR,
    Tables,
    at,
    capture,
    reconciliation,
)
from tests.component.world import utc

EARLIEST, LATEST = "0", ":"
UNKNOWN = "00000000-0000-5000-8000-000000000000"


def orders(marks: Sequence[Mark]) -> list[str]:
    return [mark.order for mark in marks]


def walk(
    reads: MerchantReads, start: str, end: str, *, newest_first: bool, limit: int
) -> Iterator[list[Mark]]:
    """Page by page, each from where the one before ended."""
    after = None
    while True:
        page = reads.marks(start, end, after=after, newest_first=newest_first, limit=limit)
        assert len(page.marks) <= limit
        yield list(page.marks)
        if page.is_last:
            return
        after = page.marks[-1].order if page.marks else after


def counted_in_order(tables: Tables) -> list[str]:
    """Six operations of m-1 in three quarters of an hour: their orders."""
    tables.count("10:40:00", capture(1, operation_date="2026-11-20T09:00:00Z"))
    tables.count("10:05:00", capture(2), capture(3, operation_date="2026-11-01T00:00:00Z"))
    tables.count("10:20:00", capture(4, "b"), reconciliation(4, "b"), capture(5))
    said = [
        ("10:00:00", capture(3, operation_date="2026-11-01T00:00:00Z"), "2026-11-01T00:00:00Z"),
        ("10:00:00", capture(2), "2026-11-20T10:15:30Z"),
        ("10:15:00", capture(4, "b"), "2026-11-20T10:15:30Z"),
        ("10:15:00", capture(5), "2026-11-20T10:15:30Z"),
        ("10:15:00", reconciliation(4, "b"), "2026-11-20T10:18:00Z"),
        ("10:30:00", capture(1), "2026-11-20T09:00:00Z"),
    ]
    return sorted(
        f"2026-11-20T{window}Z#{booked}#{operation_id_of(document)}#"
        f"{'reconciled' if 'reconciled_date' in document else 'confirmed'}"
        for window, document, booked in said
    )


def a_block(merchant_id: str = "m-1", amount: int = 100) -> Block:
    return Block(
        block_id=manual_block_id("m-1", "key"),
        merchant_id=merchant_id,
        balance_shop_id="bs-1",
        currency="EUR",
        amount=amount,
        purpose=Purpose.MANUAL,
        reference="dispute-1",
        requested_by="anna",
        created_at=at("10:20:00"),
        expiry=at("10:20:00") + timedelta(hours=1),
        expires_in_s=3600,
    )


def correction(
    number: str,
    corrects: str | None,
    adjusted_at: str = "2026-11-20T10:15:30Z",
    merchant_id: str = "m-1",
) -> SegmentRecordV1:
    adjustment = Adjustment(
        merchant_id=merchant_id,
        balance_shop_id="bs-1",
        amount=Money(100, EUR),
        adjustment_id=number,
        direction="debit",
        adjusted_at=parse_rfc3339(adjusted_at),
        reason_code="double_booking",
        reason="counted twice",
        requested_by="ops",
        corrects=corrects,
    )
    segment = direct_segment(adjustment, adjustment.movement)
    event = SplitEvent(segment.falcon_operation_id, (segment,), ())
    [record] = records_of(ClaimV1.of(adjustment, RECEIVED_AT, event))
    return record


def everything(reads: MerchantReads, operation_ids: Sequence[str], block_id: str) -> list[Any]:
    """All that a merchant can read, whatever it asks for."""
    start, end = utc("2026-01-01T00:00:00"), utc("2027-01-01T00:00:00")
    return [
        sorted(reads.balances(), key=lambda each: each.balance_shop_id),
        [each for key in (BS_1, BS_10, BS_1_JPY) for each in reads.closings(key, "2027", 9)],
        [each for key in (BS_1, BS_10, BS_1_JPY) for each in reads.windows(key, start, end)],
        list(reads.days("2026-01-01", "2027-01-01")),
        list(reads.late("2026-10", 100)),
        list(reads.marks(EARLIEST, LATEST, after=None, newest_first=False, limit=100).marks),
        list(reads.marks(EARLIEST, LATEST, after=None, newest_first=True, limit=100).marks),
        [list(reads.marks_of(each)) for each in operation_ids],
        reads.block(block_id),
        [list(reads.corrections(each)) for each in operation_ids],
        sorted(reads.open_standings(100), key=lambda each: each.falcon_operation_id),
        [list(reads.claims(each)) for each in operation_ids],
    ]
