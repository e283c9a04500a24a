"""What is left of a sale: the larger stage of what takes of it, the smaller of what comes back."""

from itertools import permutations

import pytest

from falcon_balances.domain.operations import OperationType, Stage
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_operations import SaleOperation, difference
from falcon_balances.domain.sale_parts import SalePart, StagedPart, sale_change, sale_part
from falcon_balances.domain.sales import Sale, sale_effect
from falcon_balances.domain.table_keys import ItemKey
from tests.builders import confirmed, marketplace, operation_of

SALE = SaleKey("m-1", "psp", "order 1#2")
OTHER = SaleKey("m-1", "psp", "order 2")
C, R = Stage.CONFIRMED, Stage.RECONCILED


def part(kind, amount, commission=0, *, sale=SALE, currency="EUR", operations=1):
    return SalePart(sale, OperationType(kind), currency, amount, commission, operations)


def staged(kind, amount, stage=C, name="op", **more):
    return StagedPart(part(kind, amount, **more), name, stage)


def counted(*parts: StagedPart, together: bool = False) -> Sale:
    """The first sale's item once these are counted, one by one or in one transaction."""
    items: dict[ItemKey, dict[str, int]] = {}
    operations: dict[ItemKey, SaleOperation] = {}
    for group in [parts] if together else [[each] for each in parts]:
        effect = sale_effect(group, operations)
        for key, added in effect.additions.items():
            said = items.setdefault(key, {})
            for name, n in added.items():
                said[name] = said.get(name, 0) + n
        for operation, seen in effect.operations:
            there = operations.get(operation.key)
            assert seen == (0 if there is None else there.version)
            operations[operation.key] = operation
    return Sale.from_attributes(SALE.item, items.get(SALE.item, {}))


def test_a_capture_is_a_sale_under_its_own_reference_and_others_under_their_original_s():
    capture = operation_of(confirmed(external_reference="o-1", occurrence=None))
    assert sale_part(capture, "m-1") == part(
        "capture", 10000, sale=SaleKey("m-1", "payu-ro", "o-1")
    )
    for kind in ("refund", "chargeback", "chargeback_reversal"):
        of_it = operation_of(confirmed(type=kind, original_reference="o-1", amount="4.00"))
        assert sale_part(of_it, "m-1") == part(kind, 400, sale=SaleKey("m-1", "payu-ro", "o-1"))
        assert sale_part(operation_of(confirmed(type=kind)), "m-1") is None
    assert sale_part(operation_of(confirmed(type="cashback")), "m-1") is None


def test_the_whole_amount_and_the_whole_commission_are_of_the_sale():
    sold = operation_of(marketplace([("a", "60.00", "6.00"), ("b", "40.00", None)], "100.00"))
    made = sale_part(sold, "m-market")
    assert made is not None
    assert (made.amount, made.commission) == (10000, 600)


def test_a_sale_is_found_by_its_key_whatever_its_reference_holds():
    assert SaleKey.parse(SALE.item) == SALE
    assert SALE.item.sk == "SALE#psp#order 1#2"
    assert SALE.operation_item("x").sk == f"SALE_OPERATION#{SALE.sale_id}#x"


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (None, None, ()),
        (None, part("refund", 5), (part("refund", 5),)),
        (part("refund", 5), None, (part("refund", -5, operations=-1),)),
        (part("refund", 5), part("refund", 5), ()),
        (part("refund", 5, 1), part("refund", 3, 2), (part("refund", -2, 1, operations=0),)),
        (
            part("refund", 5),
            part("refund", 5, sale=OTHER),
            (part("refund", -5, operations=-1), part("refund", 5, sale=OTHER)),
        ),
        (
            part("refund", 5),
            part("refund", 5, currency="USD"),
            (part("refund", -5, operations=0), part("refund", 5, currency="USD", operations=0)),
        ),
    ],
)
def test_a_revision_changes_a_sale_by_the_new_less_the_old(old, new, changes):
    assert sale_change(old, new) == changes


SOLD = staged("capture", 100, commission=10, name="sale")


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        ([], 0),
        ([SOLD], 100),
        ([staged("capture", 100, R, "sale")], 0),  # traced, and nobody confirmed it
        ([SOLD, staged("capture", 100, R, "sale")], 100),
        ([SOLD, staged("capture", 50, name="sale 2")], 150),  # the same reference once more
        ([SOLD, staged("capture", -100, name="sale", operations=0)], 0),  # void
        ([SOLD, staged("refund", 40)], 60),
        ([SOLD, staged("refund", 40), staged("refund", 40, R)], 60),
        ([SOLD, staged("refund", 40), staged("refund", 55, R)], 45),
        ([SOLD, staged("refund", 40), staged("refund", -40, operations=0)], 100),
        ([SOLD, staged("refund", 40), staged("refund", 40, name="another")], 20),
        ([SOLD, staged("chargeback", 100), staged("refund", 5, name="r")], -5),
        ([SOLD, staged("chargeback", 100), staged("chargeback_reversal", 100, name="won")], 0),
        (
            [
                SOLD,
                staged("chargeback", 100),
                staged("chargeback_reversal", 100, name="won"),
                staged("chargeback_reversal", 90, R, name="won"),
            ],
            90,
        ),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_what_is_left_whatever_the_order(parts, left, together):
    orders = [*permutations(parts)][:24]
    sales = [counted(*order, together=together) for order in orders]
    assert {sale.left("EUR") for sale in sales} == {left}
    assert all(sale == sales[0] for sale in sales)
    figures = sales[0].currencies.get("EUR")
    if figures is not None:
        taken = figures.refunded + figures.charged_back - figures.reversed
        assert figures.left == (figures.sold or 0) - taken - figures.set_aside


def test_a_sale_is_known_from_its_confirmed_capture_on():
    assert not counted(staged("refund", 5)).is_known
    assert not counted(staged("capture", 100, R)).is_known
    assert counted(SOLD).is_known
    assert not counted(SOLD, staged("capture", -100, name="sale", operations=-1)).is_known


def test_disputes_and_reversals_are_counted_while_they_amount_to_something():
    lost, again = staged("chargeback", 100), staged("chargeback", 100, name="again")
    won = staged("chargeback_reversal", 100, name="won")
    sale = counted(SOLD, lost, won, again)
    assert (sale.chargebacks, sale.reversals) == (2, 1)
    undone = staged("chargeback", -100, name="again", operations=0)
    assert counted(SOLD, lost, won, again, undone).chargebacks == 1


def test_what_is_set_aside_is_not_left_and_ends_with_the_first_stage():
    key = SALE.operation_item("op")
    nothing = SaleOperation(key, OperationType.REFUND)
    held = nothing.holding({"EUR": 30})
    assert difference(nothing, held) == {"EUR_set_aside": 30, "EUR_left": -30, "version": 1}
    assert difference(held, held.holding({})) == {
        "EUR_set_aside": -30,
        "EUR_left": 30,
        "version": 1,
    }
    effect = sale_effect([staged("refund", 20, R)], {key: held})
    assert effect.additions[SALE.item] == {
        "EUR_refunded": 20,
        "EUR_set_aside": -30,
        "EUR_left": 10,
        "version": 1,
    }
    assert effect.operations[0][1] == held.version


def test_an_operation_s_item_reads_back():
    operation = (
        SaleOperation(SALE.operation_item("op"), OperationType.REFUND)
        .after(C, part("refund", 20, 2))
        .after(R, part("refund", 25, 2, currency="USD"))
    )
    for each in (operation, operation.holding({"EUR": 3, "JPY": 4})):
        assert SaleOperation.from_attributes(each.key, each.attributes()) == each
    assert operation.falcon_operation_id == "op"
