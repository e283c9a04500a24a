from dataclasses import replace

import pytest

from falcon_balances.domain.available import Joint
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.domain.parts import ArrivedSegment, countable_parts
from falcon_balances.domain.standing import (
    Change,
    Disagreement,
    Movement,
    Standing,
    effect_of,
    movements_of,
    standing_after,
)
from falcon_balances.domain.table_keys import BalanceKey, ItemKey
from tests.unit.domain.events import segment_of

KEY = ItemKey("MERCHANT#m", "STANDING#operation-0")
BALANCE = BalanceKey("bs-0", "EUR")
CONFIRMED = Change(
    KEY,
    Stage.CONFIRMED,
    revision=1,
    movements="bs-0#EUR#capture#10000,bs-0#EUR#psp_fee#-100",
    nets={BALANCE: 9900},
    operation_date="2026-03-05T10:15:30Z",
    psp_id="psp-1",
    external_reference="ref-0",
    type="capture",
)
RECONCILED = replace(CONFIRMED, stage=Stage.RECONCILED, operation_date="2026-03-07T09:00:00Z")
LESS = replace(RECONCILED, movements="bs-0#EUR#capture#9000", nets={BALANCE: 9000})
SAME_NET = replace(RECONCILED, movements="bs-0#EUR#capture#9900", nets={BALANCE: 9900})
VOID = replace(
    CONFIRMED,
    revision=2,
    movements="bs-0#EUR#capture#-10000,bs-0#EUR#psp_fee#100",
    nets={BALANCE: -9900},
    operation_date="2026-03-08T00:00:00Z",
)
REFUNDED = replace(CONFIRMED, movements="bs-0#EUR#refund#-40", nets={BALANCE: -40}, type="refund")


def after(*changes: Change) -> Standing:
    standing = None
    for change in changes:
        standing = standing_after(change, standing)
    assert standing is not None
    return standing


@pytest.mark.parametrize(
    ("changes", "disagreement"),
    [
        ([CONFIRMED], "confirmed_only"),
        ([RECONCILED], "reconciled_only"),
        ([CONFIRMED, RECONCILED], None),
        ([RECONCILED, CONFIRMED], None),
        ([CONFIRMED, LESS], "different"),
        ([LESS, CONFIRMED], "different"),
        ([CONFIRMED, SAME_NET], "different"),
        ([CONFIRMED, VOID], None),
        ([CONFIRMED, RECONCILED, VOID], "reconciled_only"),
        ([CONFIRMED, VOID, RECONCILED], "reconciled_only"),
        ([CONFIRMED, VOID, replace(CONFIRMED, revision=3)], "confirmed_only"),
    ],
)
def test_an_operation_is_open_while_its_stages_disagree(changes, disagreement):
    standing = after(*changes)
    assert standing.disagreement == (disagreement and Disagreement(disagreement))
    assert standing.attributes().get("open") == (KEY.pk if disagreement else None)
    assert standing.version == len(changes), "it is never removed, and every change counts"


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ([CONFIRMED], Joint(pending=9900)),
        ([RECONCILED], Joint(unapplied=9900)),
        ([CONFIRMED, RECONCILED], Joint(pending=-9900, available=9900)),
        ([RECONCILED, CONFIRMED], Joint(unapplied=-9900, available=9900)),
        ([CONFIRMED, LESS], Joint(pending=-9000, available=9000)),
        ([LESS, CONFIRMED], Joint(pending=900, unapplied=-9000, available=9000)),
        ([CONFIRMED, RECONCILED, VOID], Joint(unapplied=9900, available=-9900)),
        ([REFUNDED], Joint(debits_untraced=40, available=-40)),
        ([replace(REFUNDED, stage=Stage.RECONCILED)], Joint(debits_unconfirmed=40, available=-40)),
        ([REFUNDED, replace(REFUNDED, stage=Stage.RECONCILED)], Joint(debits_untraced=-40)),
        # Of two stages that agree on a refund, one takes it back: it stays taken.
        (
            [
                REFUNDED,
                replace(REFUNDED, stage=Stage.RECONCILED),
                replace(VOID, movements="bs-0#EUR#refund#40", nets={BALANCE: 40}),
            ],
            Joint(debits_unconfirmed=40),
        ),
    ],
)
def test_the_last_change_adds_what_the_rule_says_now_less_what_it_said(changes, effect):
    *before, last = changes
    assert effect_of(last, after(*before) if before else None) == {BALANCE: effect}


def test_effects_add_up_to_the_operation_s_share():
    changes = [RECONCILED, CONFIRMED, VOID, replace(LESS, revision=2)]
    total = [0] * 5
    for n, change in enumerate(changes):
        (joint,) = effect_of(change, after(*changes[:n]) if n else None).values()
        total = [a + b for a, b in zip(total, joint, strict=True)]
    assert after(*changes).joint() == {BALANCE: Joint(*total)}


@pytest.mark.parametrize("changes", [[CONFIRMED, RECONCILED], [RECONCILED, CONFIRMED]])
def test_an_operation_is_described_as_its_first_confirmed_revision_does(changes):
    assert after(*changes).operation_date == CONFIRMED.operation_date
    assert after(RECONCILED).operation_date == RECONCILED.operation_date
    assert after(CONFIRMED, VOID).operation_date == CONFIRMED.operation_date


@pytest.mark.parametrize(
    "changes", [[CONFIRMED], [RECONCILED], [CONFIRMED, LESS], [CONFIRMED, RECONCILED, VOID]]
)
def test_what_lies_in_the_table_reads_back_as_the_standing(changes):
    standing = after(*changes)
    assert Standing.from_attributes(KEY, standing.attributes()) == standing
    assert standing.falcon_operation_id == "operation-0"


def test_it_is_written_in_place_of_the_version_that_was_seen():
    seen = after(CONFIRMED)
    now = standing_after(RECONCILED, seen)
    assert (now.written(seen).seen, now.written(seen).attributes["version"]) == (1, 2)
    assert seen.written(None).seen == 0


def change_of(segment: Segment) -> Change | None:
    window = parse_rfc3339("2026-03-05T10:30:00Z")
    part = next(countable_parts(ArrivedSegment(segment, window, "the key", "f")))
    return part.change


def test_a_segment_says_what_it_moves_and_in_what_operation():
    segment = segment_of(Stage.CONFIRMED, ("psp_fee", -100), ("capture", 10000))
    assert change_of(segment) == CONFIRMED


@pytest.mark.parametrize("stage", [Stage.PAYOUT, Stage.ADJUSTMENT])
def test_what_has_one_stage_only_has_no_standing(stage):
    line_type = "withdrawal" if stage is Stage.PAYOUT else "adjustment"
    assert change_of(segment_of(stage, (line_type, -7))) is None


def test_what_a_stage_says_is_summed_by_balance_and_type_in_whatever_order_its_lines_stand():
    lines = [("capture", 5), ("capture", 7), ("marketplace_fee", -1), ("capture", 11)]
    segment = segment_of(Stage.CONFIRMED, *lines, balances=2)
    backwards = replace(segment, lines=segment.lines[::-1])
    for each in (segment, backwards):
        change = change_of(each)
        assert change is not None
        assert change.nets == {("bs-0", "EUR"): 4, ("bs-1", "EUR"): 18}
        assert movements_of(change.movements) == (
            Movement("bs-0", "EUR", "capture", 5),
            Movement("bs-0", "EUR", "marketplace_fee", -1),
            Movement("bs-1", "EUR", "capture", 18),
        )


def test_the_same_amount_in_another_balance_or_currency_is_not_the_same():
    segment = segment_of(Stage.CONFIRMED, ("capture", 100))
    (line,) = segment.lines
    elsewhere = replace(segment, lines=(replace(line, balance_shop_id="bs-1"),))
    yen = replace(segment, lines=(replace(line, amount=Money(100, Currency("JPY", 0))),))
    changes = [change_of(each) for each in (segment, elsewhere, yen)]
    assert len({change.movements for change in changes if change is not None}) == 3


def test_a_merchant_who_only_has_a_fee_in_an_operation_is_told_of_the_fee():
    change = change_of(segment_of(Stage.CONFIRMED, ("marketplace_fee", 100)))
    assert change is not None
    assert change.type == "marketplace_fee"


def test_a_balance_whose_lines_cancel_out_is_touched_and_gets_nothing():
    change = change_of(segment_of(Stage.CONFIRMED, ("capture", 7), ("psp_fee", -7)))
    assert change is not None
    assert effect_of(change, None) == {BALANCE: Joint()}


@pytest.mark.parametrize(
    ("changes", "awaits_money"),
    [
        ([CONFIRMED], True),
        ([RECONCILED], True),
        ([CONFIRMED, RECONCILED], False),
        ([CONFIRMED, LESS], True),
        ([CONFIRMED, SAME_NET], False),
        ([CONFIRMED, VOID], False),
        ([REFUNDED], False),  # money out counts at once
    ],
)
def test_money_is_awaited_while_one_side_has_said_more_than_the_other(changes, awaits_money):
    assert after(*changes).awaits_money is awaits_money
