from dataclasses import replace

import pytest

from falcon_balances.domain.counting import (
    ArrivedSegment,
    DropPairing,
    ItemKey,
    PutPairing,
    Side,
    countable_parts,
)
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import PSP_STAGES, Segment, Stage
from falcon_balances.domain.pairing import (
    Movement,
    Pairing,
    Standing,
    movements_of,
    pairing_writes,
)
from tests.unit.domain.events import segment_of

KEY = ItemKey("MERCHANT#m", "PAIRING#operation-0")
CONFIRMED = Side(
    KEY,
    Stage.CONFIRMED,
    movements="bs-0#EUR#capture#10000,bs-0#EUR#psp_fee#-100",
    operation_date="2026-03-05T10:15:30Z",
    psp_id="psp-1",
    external_reference="ref-0",
    type="capture",
)
RECONCILED = replace(CONFIRMED, stage=Stage.RECONCILED, operation_date="2026-03-07T09:00:00Z")
OTHER = "bs-0#EUR#capture#9000"
ATTRIBUTES = {
    "standing": "confirmed_only",
    "operation_date": "2026-03-05T10:15:30Z",
    "psp_id": "psp-1",
    "external_reference": "ref-0",
    "operation_type": "capture",
    "confirmed": CONFIRMED.movements,
}
RECONCILED_ALONE = {
    **ATTRIBUTES,
    "standing": "reconciled_only",
    "operation_date": "2026-03-07T09:00:00Z",
    "reconciled": RECONCILED.movements,
}
del RECONCILED_ALONE["confirmed"]
DIFFERENT = {**ATTRIBUTES, "standing": "different", "reconciled": OTHER}


def after(*sides: Side) -> dict[ItemKey, Pairing]:
    """What lies in the table once each of them was counted, in a transaction of its own."""
    table: dict[ItemKey, Pairing] = {}
    for side in sides:
        for write in pairing_writes([side], table):
            if isinstance(write, PutPairing):
                table[write.key] = Pairing.from_attributes(write.key, write.attributes)
            else:
                del table[write.key]
    return table


@pytest.mark.parametrize(
    ("before", "counted", "writes"),
    [
        ([], [CONFIRMED], [PutPairing(KEY, ATTRIBUTES, None)]),
        ([], [RECONCILED], [PutPairing(KEY, RECONCILED_ALONE, None)]),
        ([], [CONFIRMED, RECONCILED], []),
        ([], [RECONCILED, CONFIRMED], []),
        ([CONFIRMED], [RECONCILED], [DropPairing(KEY, "confirmed_only")]),
        ([RECONCILED], [CONFIRMED], [DropPairing(KEY, "reconciled_only")]),
        ([], [], []),
        ([CONFIRMED], [], []),
    ],
    ids=[
        "confirmed alone",
        "reconciled alone",
        "both at once",
        "both at once, reconciled first",
        "reconciled after confirmed",
        "confirmed after reconciled",
        "nothing",
        "nothing more",
    ],
)
def test_an_operation_is_awaited_until_both_its_stages_are_there(before, counted, writes):
    assert pairing_writes(counted, after(*before)) == writes


@pytest.mark.parametrize(
    ("before", "counted", "seen"),
    [
        ([], ["confirmed", "reconciled"], None),
        ([], ["reconciled", "confirmed"], None),
        (["confirmed"], ["reconciled"], "confirmed_only"),
        (["reconciled"], ["confirmed"], "reconciled_only"),
    ],
)
def test_two_that_differ_stay_with_what_each_says_and_the_confirmed_one_s_date(
    before, counted, seen
):
    sides = {"confirmed": CONFIRMED, "reconciled": replace(RECONCILED, movements=OTHER)}
    table = after(*(sides[stage] for stage in before))
    assert pairing_writes([sides[stage] for stage in counted], table) == [
        PutPairing(KEY, DIFFERENT, seen)
    ]


@pytest.mark.parametrize(
    ("before", "again"),
    [
        ([CONFIRMED], CONFIRMED),
        ([RECONCILED], RECONCILED),
        ([CONFIRMED, replace(RECONCILED, movements=OTHER)], CONFIRMED),
        ([CONFIRMED, replace(RECONCILED, movements=OTHER)], replace(RECONCILED, movements=OTHER)),
        ([CONFIRMED], replace(CONFIRMED, movements=OTHER)),
        ([RECONCILED], replace(RECONCILED, movements=OTHER)),
    ],
    ids=[
        "confirmed",
        "reconciled",
        "confirmed of two that differ",
        "reconciled of two that differ",
        "confirmed, but otherwise",
        "reconciled, but otherwise",
    ],
)
def test_the_same_stage_again_changes_nothing(before, again):
    table = after(*before)
    assert pairing_writes([again], table) == []
    assert pairing_writes([again, again], table) == []
    assert after(*before, again) == table


def test_a_repeat_beside_what_was_awaited_still_drops_it():
    assert pairing_writes([CONFIRMED, RECONCILED], after(CONFIRMED)) == [
        DropPairing(KEY, "confirmed_only")
    ]


def test_each_operation_of_each_merchant_is_paired_apart():
    other_operation = replace(CONFIRMED, key=ItemKey("MERCHANT#m", "PAIRING#operation-1"))
    other_merchant = replace(RECONCILED, key=ItemKey("MERCHANT#n", "PAIRING#operation-0"))
    table = after(CONFIRMED)
    writes = pairing_writes([other_operation, RECONCILED, other_merchant], table)
    assert writes == [
        PutPairing(other_operation.key, ATTRIBUTES, None),
        DropPairing(KEY, "confirmed_only"),
        PutPairing(other_merchant.key, RECONCILED_ALONE, None),
    ]


@pytest.mark.parametrize(
    "sides",
    [[CONFIRMED], [RECONCILED], [CONFIRMED, replace(RECONCILED, movements=OTHER)]],
    ids=list(Standing),
)
def test_what_lies_in_the_table_reads_back_as_the_pairing(sides):
    pairing = Pairing.alone(sides[0])
    for side in sides[1:]:
        different = pairing.with_other(side)
        assert different is not None
        pairing = different
    assert pairing.standing == Standing(pairing.attributes()["standing"])
    assert Pairing.from_attributes(KEY, pairing.attributes()) == pairing
    assert pairing.falcon_operation_id == "operation-0"
    there = {side.stage for side in sides}
    assert {stage for stage in PSP_STAGES if pairing.has(stage)} == there


def pairing_of(segment: Segment) -> Side | None:
    window = parse_rfc3339("2026-03-05T10:30:00Z")
    part = next(countable_parts(ArrivedSegment(segment, window, "the key", "f", "the body")))
    return part.pairing


def test_a_segment_says_what_it_moves_and_in_what_operation():
    segment = segment_of(Stage.CONFIRMED, ("psp_fee", -100), ("capture", 10000))
    assert pairing_of(segment) == CONFIRMED


@pytest.mark.parametrize("stage", [Stage.PAYOUT, Stage.ADJUSTMENT])
def test_what_has_one_stage_only_awaits_nothing(stage):
    line_type = "withdrawal" if stage is Stage.PAYOUT else "adjustment"
    assert pairing_of(segment_of(stage, (line_type, -7))) is None


def test_what_a_side_says_is_summed_by_balance_and_type_in_whatever_order_its_lines_stand():
    lines = [("capture", 5), ("capture", 7), ("marketplace_fee", -1), ("capture", 11)]
    segment = segment_of(Stage.CONFIRMED, *lines, balances=2)
    backwards = replace(segment, lines=segment.lines[::-1])
    for each in (segment, backwards):
        side = pairing_of(each)
        assert side is not None
        assert movements_of(side.movements) == (
            Movement("bs-0", "EUR", "capture", 5),
            Movement("bs-0", "EUR", "marketplace_fee", -1),
            Movement("bs-1", "EUR", "capture", 18),
        )


def test_the_same_amount_in_another_balance_or_currency_is_not_the_same():
    segment = segment_of(Stage.CONFIRMED, ("capture", 100))
    (line,) = segment.lines
    elsewhere = replace(segment, lines=(replace(line, balance_shop_id="bs-1"),))
    yen = replace(segment, lines=(replace(line, amount=Money(100, Currency("JPY", 0))),))
    sides = [pairing_of(each) for each in (segment, elsewhere, yen)]
    assert len({side.movements for side in sides if side is not None}) == 3


def test_a_merchant_who_only_has_a_fee_in_an_operation_is_told_of_the_fee():
    side = pairing_of(segment_of(Stage.CONFIRMED, ("marketplace_fee", 100)))
    assert side is not None
    assert side.type == "marketplace_fee"


def test_a_side_that_is_not_there_moves_nothing():
    assert movements_of(None) == ()
