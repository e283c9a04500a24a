"""Which counted operations a filter lets through."""

from dataclasses import replace
from typing import Any

import pytest

from falcon_balances.domain.history import Mark
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.operation_filter import OperationFilter
from falcon_balances.domain.operations import Stage
from tests.builders import claim_of, confirmed, context_of, fee_of

CLAIM = claim_of(confirmed(), context_of(fees=[fee_of()]))
LINES = CLAIM.lines_of(CLAIM.segments[0])
QUARTER = parse_rfc3339("2026-11-20T10:15:00Z")
ORDER = f"2026-11-20T10:15:00Z#2026-11-20T10:15:30Z#{CLAIM.falcon_operation_id}#confirmed"
MARK = Mark(CLAIM.falcon_operation_id, Stage.CONFIRMED, QUARTER, ORDER, "key", "print", LINES, {})


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (OperationFilter(), True),
        (OperationFilter(stage="confirmed"), True),
        (OperationFilter(stage="reconciled"), False),
        (OperationFilter(type="capture"), True),
        (OperationFilter(type="psp_fee"), True),  # by any of its lines
        (OperationFilter(type="refund"), False),
        (OperationFilter(psp_id=LINES[0].psp_id), True),
        (OperationFilter(psp_id="other-psp"), False),
        (OperationFilter(balance_shop_id=LINES[0].balance_shop_id), True),
        (OperationFilter(balance_shop_id="bs-other"), False),
        (OperationFilter(stage="confirmed", type="refund"), False),
    ],
)
def test_a_mark_passes_where_everything_asked_for_is_in_it(wanted, passes):
    assert wanted.lets_through(MARK) is passes


def test_bounds_hold_the_orders_of_the_quarters_from_start_to_end():
    first, last = OperationFilter(start=QUARTER).bounds
    assert first <= ORDER <= last
    first, last = OperationFilter(end=QUARTER).bounds
    assert first < last < ORDER
    assert OperationFilter().bounds[0] < ORDER < OperationFilter().bounds[1]


def test_only_a_filter_of_times_alone_lets_all_through():
    wanted = OperationFilter(start=QUARTER, end=QUARTER)
    assert wanted.lets_all_through
    for name in ("type", "stage", "balance_shop_id", "psp_id"):
        narrowed: dict[str, Any] = {name: "x"}
        assert not replace(wanted, **narrowed).lets_all_through
