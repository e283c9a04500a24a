"""A revision's lines make the old truth into the new one."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import BalanceOperation, OperationType, Segment, Stage
from falcon_balances.domain.revising import MerchantTruth, Revision, revise

EUR = Currency("EUR", 2)
OPERATION = "38da44a4-4f76-5324-a4d7-c0092e5a3563"
REVISED_AT = datetime(2026, 3, 20, tzinfo=UTC)


def line(minor, kind="capture", shop="shop", balance="bs", original="", bank=""):
    return BalanceOperation(
        uuid="-",
        external_reference="r-1",
        amount=Money(minor, EUR),
        type=OperationType(kind),
        falcon_operation_id=OPERATION,
        operation_date=datetime(2026, 3, 5, tzinfo=UTC),
        local_merchant_id="5553",
        shop_id=shop,
        balance_shop_id=balance,
        psp_id="psp",
        original_reference=original,
        bank_reference=bank,
    )


def truth(**merchants):
    return [MerchantTruth(name, "v", tuple(lines)) for name, lines in merchants.items()]


def revised(old, new, number=2):
    revision = Revision(OPERATION, Stage.CONFIRMED, number, REVISED_AT)
    return {
        segment.merchant_id: [(each.type.value, each.amount.minor) for each in segment.lines]
        for segment in revise(revision, old, new)
    }


SALE = [line(100), line(-1, "psp_fee")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # void: what was there goes
        (truth(a=SALE), truth(), {"a": [("capture", -100), ("psp_fee", 1)]}),
        # settled short
        (
            truth(a=SALE),
            truth(a=[line(77), line(-1, "psp_fee")]),
            {"a": [("capture", -23)]},
        ),
        (truth(a=SALE), truth(a=SALE), {}),  # the same truth again
        # wrong merchant
        (
            truth(a=[line(70)]),
            truth(b=[line(70)]),
            {"a": [("capture", -70)], "b": [("capture", 70)]},
        ),
        # two legs of one key are one line of a revision
        (truth(a=[line(10), line(20)]), truth(a=[line(25)]), {"a": [("capture", -5)]}),
        # another bank reference is another line: the new truth's first, then the old one's
        (
            truth(a=[line(100, bank="one")]),
            truth(a=[line(100, bank="two")]),
            {"a": [("capture", 100), ("capture", -100)]},
        ),
        (truth(a=[line(5)]), truth(a=[line(5), line(-5, "refund"), line(5, "refund")]), {}),
    ],
)
def test_what_a_revision_changes(old, new, expected):
    assert revised(old, new) == expected


def test_parts_are_numbered_among_the_merchants_that_change():
    revision = Revision(OPERATION, Stage.CONFIRMED, 3, REVISED_AT)
    old, new = truth(a=[line(1)], b=[line(2)], c=[line(3)]), truth(a=[line(1)], b=[line(3)])
    segments = revise(revision, old, new)
    assert [(each.merchant_id, each.part, each.parts) for each in segments] == [
        ("b", 1, 2),
        ("c", 2, 2),
    ]
    assert {each.revision for each in segments} == {3}
    assert {each.booked_at for each in segments} == {REVISED_AT}


LINES = st.lists(
    st.builds(
        line,
        st.integers(-3, 3).filter(bool),
        st.sampled_from(["capture", "psp_fee"]),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["b1", "b2"]),
        st.just(""),
        st.sampled_from(["", "x"]),
    ),
    max_size=6,
)
TRUTHS = st.dictionaries(st.sampled_from("abc"), LINES, max_size=3)


def totals(segments):
    sums: Counter[object] = Counter()
    for segment in segments:
        for each in segment.lines:
            key = replace(each, uuid="", amount=Money(0, EUR), operation_date=REVISED_AT)
            sums[segment.merchant_id, key] += each.amount.minor
    return {key: minor for key, minor in sums.items() if minor}


@settings(max_examples=300, deadline=None)
@given(st.lists(TRUTHS, min_size=2, max_size=5))
def test_all_revisions_lines_add_up_to_the_last_truth(truths):
    written: list[Segment] = []
    uuids: list[str] = []
    before = truth()
    for number, said in enumerate(truths, start=2):
        after = truth(**said)
        segments = revise(Revision(OPERATION, Stage.CONFIRMED, number, REVISED_AT), before, after)
        written += segments
        uuids += [each.uuid for segment in segments for each in segment.lines]
        before = after
    assert totals(written) == totals(before)
    assert len(set(uuids)) == len(uuids)
    assert all(each.amount.minor for segment in written for each in segment.lines)
