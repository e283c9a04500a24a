"""Every key of the table is read again as it was written, and nothing else is taken for one."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from falcon_balances.domain.counted_order import (
    CountedOrder,
    LateKey,
    MarkKey,
    late_in,
    marks_of,
    operation_referenced,
)
from falcon_balances.domain.operations import OperationType, Stage
from falcon_balances.domain.past_keys import (
    ClosingKey,
    WindowKey,
    closings_before,
    closings_of,
    windows_of,
)
from falcon_balances.domain.sale_keys import SaleKey, SaleOperationKey, operations_of_sale
from falcon_balances.domain.table_keys import (
    AttemptKey,
    BalanceKey,
    BlockKey,
    CorrectionKey,
    CutKey,
    DayCounter,
    DayKey,
    FindingKey,
    ItemKey,
    ReferenceKey,
    ShardKey,
    StandingKey,
    corrections_of,
    days_from,
    is_balance,
    key_fields,
    merchant_pk,
    parse_merchant_pk,
)

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)
UUIDS = st.uuids().map(str)
REFERENCES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
BALANCES = st.builds(BalanceKey, IDS, st.from_regex("[A-Z]{3}", fullmatch=True))
STAGED = st.sampled_from([*Stage, "confirmed.2", "reconciled.99"]).map(str)
QUARTERS = st.sampled_from(["2026-03-05T10:15:00Z", "2026-12-31T23:45:00Z"])
INSTANTS = st.sampled_from(["2026-03-05T10:15:30Z", "2020-02-29T00:00:00Z"])
DAYS = st.dates().map(str)
ORDERS = st.builds(CountedOrder, QUARTERS, INSTANTS, UUIDS, STAGED)

WRITTEN_AS_SK: dict[Any, st.SearchStrategy[Any]] = {
    BalanceKey: BALANCES,
    ClosingKey: st.builds(ClosingKey, BALANCES, DAYS),
    WindowKey: st.builds(WindowKey, BALANCES, QUARTERS),
    DayKey: st.builds(DayKey, DAYS, BALANCES),
    MarkKey: st.builds(MarkKey, UUIDS, STAGED, st.integers(0, 3)),
    LateKey: st.builds(LateKey, st.just("2026-03"), ORDERS),
    CorrectionKey: st.builds(CorrectionKey, UUIDS, UUIDS),
    StandingKey: st.builds(StandingKey, UUIDS),
    BlockKey: st.builds(BlockKey, UUIDS),
    FindingKey: st.builds(FindingKey, st.just("unknown_sale"), UUIDS),
    SaleOperationKey: st.builds(SaleOperationKey, UUIDS, UUIDS),
}
WRITTEN_AS_ITEM: dict[Any, st.SearchStrategy[Any]] = {
    SaleKey: st.builds(SaleKey, IDS, IDS, REFERENCES),
    AttemptKey: st.builds(AttemptKey, UUIDS, st.integers(1, 99)),
    ShardKey: st.builds(ShardKey, IDS),
}


@pytest.mark.parametrize("kind", WRITTEN_AS_SK)
@given(data=st.data())
def test_a_sort_key_is_read_as_it_was_written(kind: Any, data: st.DataObject) -> None:
    key = data.draw(WRITTEN_AS_SK[kind])
    assert kind.parse(key.sk) == key


@pytest.mark.parametrize("kind", WRITTEN_AS_ITEM)
@given(data=st.data())
def test_an_items_key_is_read_as_it_was_written(kind: Any, data: st.DataObject) -> None:
    key = data.draw(WRITTEN_AS_ITEM[kind])
    assert kind.parse(key.item) == key


@given(order=ORDERS, sale=WRITTEN_AS_ITEM[SaleKey], merchant_id=IDS)
def test_what_attributes_and_indexes_hold_is_read_as_it_was_written(order, sale, merchant_id):
    assert CountedOrder.parse(order.text) == order
    assert SaleKey.parse_text(sale.text) == sale
    assert SaleKey.parse_name(sale.name, sale.merchant_id) == sale
    reference = ReferenceKey(merchant_id, sale.reference)
    assert ReferenceKey.parse(reference.text) == reference
    assert parse_merchant_pk(merchant_pk(merchant_id)) == merchant_id
    assert CutKey.parse(CutKey(order.window).item.sk) == CutKey(order.window)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("line_type", OperationType)
@pytest.mark.parametrize("is_late", [False, True])
def test_a_days_counter_is_read_as_it_was_written(stage, line_type, is_late):
    counter = DayCounter(stage, line_type.value, is_late)
    assert DayCounter.parse(counter.name) == counter


@pytest.mark.parametrize("kind", WRITTEN_AS_SK)
@given(data=st.data())
def test_a_key_of_one_kind_is_none_of_another(kind: Any, data: st.DataObject) -> None:
    other = data.draw(st.sampled_from([each for each in WRITTEN_AS_SK if each is not kind]))
    with pytest.raises(ValueError, match=r"key|fields"):
        kind.parse(data.draw(WRITTEN_AS_SK[other]).sk)


@pytest.mark.parametrize("kind", WRITTEN_AS_SK)
@given(data=st.data())
def test_a_sort_key_with_a_field_less_more_or_empty_is_refused(kind, data):
    sk = data.draw(WRITTEN_AS_SK[kind]).sk
    assume(not (kind is MarkKey and sk.count("#") == 3))  # without its last field it is a mark
    for malformed in (sk.rpartition("#")[0], f"{sk}#", f"{sk}#one#two", f"#{sk}", sk.lower(), ""):
        with pytest.raises(ValueError, match=r"key|fields|stage|is not a valid|invalid literal"):
            kind.parse(malformed)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-05T10:15:00Z#2026-03-05T10:15:30Z#an-id",
        "2026-03-05T10:16:00Z#2026-03-05T10:15:30Z#an-id#confirmed",  # no quarter begins then
        "2026-03-05T11:15:00+01:00#2026-03-05T10:15:30Z#an-id#confirmed",
        "2026-03-05T10:15:00Z#2026-03-05T10:15:30.5Z#an-id#confirmed",
        "2026-03-05T10:15:00Z#2026-03-05#an-id#confirmed",
        "2026-03-05T10:15:00Z#2026-03-05T10:15:30Z##confirmed",
        "2026-03-05T10:15:00Z#2026-03-05T10:15:30Z#an-id#confirmed.1",
        "2026-03-05T10:15:00Z#2026-03-05T10:15:30Z#an-id#settled",
    ],
)
def test_what_is_no_order_of_counting_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        CountedOrder.parse(text)


def test_an_order_of_a_revision_names_its_mark():
    order = CountedOrder("2026-03-05T10:15:00Z", "2026-03-05T10:15:30Z", "an-id", "confirmed.2")
    assert CountedOrder.parse(order.text).mark == MarkKey("an-id", "confirmed.2")


@pytest.mark.parametrize("number", ["0", "00", "01", "-1", "1_0", "x"])
def test_a_part_of_a_mark_has_one_way_to_be_written(number):
    with pytest.raises(ValueError, match=r"OPERATION|invalid literal"):
        MarkKey.parse(f"OPERATION#an-id#confirmed#{number}")


def test_an_attempt_has_two_digits():
    assert AttemptKey("an-id", 7).item == ItemKey("REFUND#an-id", "ATTEMPT#07")
    for number in ("7", "007", "-1", "00"):
        with pytest.raises(ValueError, match="ATTEMPT"):
            AttemptKey.parse(ItemKey("REFUND#an-id", f"ATTEMPT#{number}"))


def test_the_index_by_reference_names_operations_by_their_standings_and_marks():
    assert operation_referenced("STANDING#an-id") == "an-id"
    assert operation_referenced("OPERATION#an-id#payout") == "an-id"
    with pytest.raises(ValueError, match="OPERATION"):
        operation_referenced("BLOCK#an-id#x")


@given(day=DAYS, quarter=QUARTERS, balance=BALANCES, order=ORDERS, ids=st.tuples(UUIDS, UUIDS))
def test_a_query_by_prefix_meets_the_keys_that_it_is_for(day, quarter, balance, order, ids):
    assert WindowKey(balance, quarter).sk.startswith(windows_of(balance))
    assert DayKey(day, balance).sk.startswith(days_from(day))
    assert LateKey("2026-03", order).sk.startswith(late_in("2026-03"))
    assert order.mark.sk.startswith(marks_of(order.falcon_operation_id))
    assert CorrectionKey(*ids).sk.startswith(corrections_of(ids[0]))
    assert SaleOperationKey(*ids).sk.startswith(operations_of_sale(ids[0]))
    assert is_balance(ItemKey("MERCHANT#m", balance.sk))
    assert not is_balance(ItemKey("MERCHANT#m", WindowKey(balance, quarter).sk))


def test_the_last_field_keeps_what_separators_it_holds():
    assert key_fields("psp#order#1", 2) == ["psp", "order#1"]
    for text, count in (("psp", 2), ("psp#", 2), ("#order", 2), ("", 1)):
        with pytest.raises(ValueError, match=f"expected {count} fields"):
            key_fields(text, count)


@given(balance=BALANCES, others=st.tuples(BALANCES, BALANCES), days=st.tuples(DAYS, DAYS))
def test_closings_before_a_day_are_those_of_earlier_days_of_the_balance_alone(
    balance, others, days
):
    first, last = closings_of(balance), closings_before(balance, days[0])
    for each in (balance, *others):
        is_met = first <= ClosingKey(each, days[1]).sk <= last
        assert is_met == (each == balance and days[1] < days[0])
