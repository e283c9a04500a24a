"""Sales, what does not fit in them, and how a merchant finds them."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import TableWrite
from tests.builders import Document, confirmed, context_of, marketplace, operation_id_of, reconciled
from tests.component.api_calls import get, get_as_system, pages
from tests.component.ledger import Ledger, adjustment, id_of, payout

CONTEXTS = (
    context_of(),
    context_of("a"),
    context_of("b"),
    context_of("market"),
    context_of("moved", merchant_id="m-a"),
)
SALE = confirmed(external_reference="order 1#1")
KEY = SaleKey("m-5553", "payu-ro", "order 1#1")


def of_sale(kind: str, reference: str, amount: str, **changes: Any) -> Document:
    said = {"type": kind, "external_reference": reference, "amount": amount}
    return confirmed(**{"original_reference": "order 1#1"} | said | changes)


def traced(document: Document, **changes: Any) -> Document:
    dates = {"reconciled_date": "2026-11-20T10:18:00Z", "bank_reference": "bank-1"}
    return document | dates | changes


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    ledger = Ledger(CONTEXTS)
    ledger.serve(monkeypatch)
    return ledger


def kinds(merchant_id: str = "m-5553") -> list[str]:
    answer = get("/findings", merchant_id=merchant_id)
    return [each["kind"] for each in answer.body["findings"]]


def sale_of(ledger: Ledger, key: SaleKey = KEY) -> Sale:
    return Sale.from_attributes(key.item, ledger.store.item(key.item))


REFUND, MORE = of_sale("refund", "r-1", "60.00"), of_sale("refund", "r-2", "60.00")
LOST = of_sale("chargeback", "d-1", "100.00")
WON = of_sale("chargeback_reversal", "d-1", "100.00")
LOST_AGAIN = of_sale("chargeback", "d-1", "100.00", occurrence=2)


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([SALE], []),
        ([SALE, REFUND], []),
        ([SALE, REFUND, MORE], ["refunded_above_sale"]),
        ([SALE, REFUND, traced(REFUND)], []),
        (
            [SALE, of_sale("refund", "r-3", "10", currency="JPY")],
            ["other_currency"],
        ),
        ([REFUND], ["unknown_sale"]),
        ([SALE, REFUND, LOST], ["refunded_above_sale", "refunded_and_charged_back"]),
        ([SALE, WON], ["reversal_without_chargeback"]),
        ([SALE, LOST, WON], []),
        ([SALE, LOST, WON, traced(WON), LOST_AGAIN], ["dispute_repeated"]),
        ([SALE, REFUND, traced(REFUND, amount="61.00")], ["stages_contradict"]),
    ],
)
def test_what_does_not_fit_is_found_whatever_the_order_and_batches(monkeypatch, events, found):
    for order in [*permutations(events)][::5] or [events]:
        for together in (False, True):
            ledger = Ledger(CONTEXTS)
            ledger.serve(monkeypatch)
            for batch in [order] if together else [[each] for each in order]:
                ledger.count(*batch)
            assert sorted(kinds()) == sorted(found)
            ledger.count(*order)  # all of it once more changes nothing
            assert sorted(kinds()) == sorted(found)


def test_a_batch_that_ends_before_it_was_looked_at_is_looked_at_when_it_is_repeated(monkeypatch):
    ledger = Ledger(CONTEXTS)
    ledger.serve(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("lambdas.reducer.batch.follow_up", lambda *_said: None)
        ledger.count(SALE, REFUND, MORE, traced(REFUND, amount="61.00"))
    assert kinds() == []
    ledger.count(SALE, REFUND, MORE, traced(REFUND, amount="61.00"))
    assert kinds() == ["refunded_above_sale", "stages_contradict"]


def test_what_fits_again_is_found_no_more(ledger):
    ledger.count(REFUND)
    assert kinds() == ["unknown_sale"]
    ledger.count(SALE)
    assert kinds() == []
    ledger.count(MORE)
    assert kinds() == ["refunded_above_sale"]
    ledger.count(confirmed(external_reference="order 1#1", occurrence=2, amount="50.00"))
    assert kinds() == []


def test_a_finding_says_what_does_not_fit_at_full_scale(ledger):
    ledger.count(SALE, REFUND, MORE)
    [found] = get("/findings").body["findings"]
    assert found == {
        "finding_id": f"m-5553:refunded_above_sale:{KEY.sale_id}",
        "kind": "refunded_above_sale",
        "status": "open",
        "falcon_operation_id": operation_id_of(SALE),
        "psp_id": "payu-ro",
        "reference": "order 1#1",
        "opened_at": "2026-11-20T10:15:00Z",
        "amounts": [
            {
                "currency": "EUR",
                "figures": {
                    "sold": "100.00",
                    "refunded": "120.00",
                    "charged_back": "0.00",
                    "reversed": "0.00",
                    "commission": "0.00",
                    "commission_returned": "0.00",
                },
            }
        ],
    }
    assert get_as_system("/findings").body["findings"] == [found]


def test_findings_are_paged_and_nobody_elses(ledger):
    for n in range(5):
        ledger.count(of_sale("refund", f"r-{n}", "1.00", original_reference=f"unknown {n}"))
    found = [each for page in pages("/findings", {"limit": 2}) for each in page["findings"]]
    assert len({each["finding_id"] for each in found}) == len(found) == 5
    ledger.count(confirmed(local_merchant_id="a", shop_id="shop-a"))
    assert kinds("m-a") == []
    assert get("/findings", {"cursor": "eA"}).status == 422
    assert get("/findings", merchant_id="m-nobody").status == 404


SOLD = marketplace([("a", "60.00", "6.00"), ("b", "40.00", "4.00")], "100.00")


def returned(commission: str) -> Document:
    parts = [("a", "10.00", commission)]
    said = {"type": "refund", "external_reference": "r-1", "original_reference": "order-1"}
    return marketplace(parts, "10.00", **said)


@pytest.mark.parametrize(
    ("commission", "found"), [("9.00", []), ("10.00", ["commission_above_taken"])]
)
def test_no_more_commission_is_given_back_than_was_taken(ledger, commission, found):
    ledger.count(marketplace([("a", "90.00", "5.00"), ("b", "10.00", "4.00")], "100.00"))
    ledger.count(returned(commission))
    assert kinds("m-market") == found
    assert kinds("m-a") == []  # the sale is the marketplace's


def test_stages_that_name_other_merchants_are_found_at_all_of_them(ledger):
    other = {"local_merchant_id": "b", "shop_id": "shop-b"}
    ledger.count(confirmed())
    ledger.count(confirmed(external_reference="o-a", local_merchant_id="a", shop_id="shop-a"))
    ledger.count(reconciled(**other))
    for merchant_id in ("m-5553", "m-b"):
        assert kinds(merchant_id) == ["merchants_contradict"]
    assert kinds("m-a") == []
    text = get("/findings").text
    assert "m-b" not in text


@pytest.mark.parametrize("first", [0, 1])
def test_other_merchants_are_found_whichever_stage_is_claimed_second(ledger, first):
    parts = [("a", "60.00", None), ("b", "40.00", None)]
    both = [marketplace(parts, "100.00"), traced(marketplace(parts[:1], "60.00"))]
    ledger.count(both[first])
    ledger.count(both[1 - first])
    assert kinds("m-b") == ["merchants_contradict"]
    assert kinds("m-a") == ["merchants_contradict"]


def test_a_credit_of_what_one_stage_alone_says_is_found_until_the_other_agrees(ledger):
    sale = confirmed()
    credit = adjustment(corrects=operation_id_of(sale), amount="10.00")
    for order in ([sale, credit], [credit, sale]):
        ledger.store.marks.clear()
        ledger.store.counters.clear()
        ledger.count(*order[:1])
        ledger.count(*order[1:])
        assert kinds() == ["credit_of_open_operation"]
    ledger.count(reconciled())
    assert kinds() == []


def test_a_plain_sale_costs_one_write_more(ledger):
    writes: list[int] = []

    def no_conflict(said: Sequence[TableWrite]) -> Sequence[int]:
        writes.append(len(said))
        return ()

    ledger.store.conflicts = no_conflict
    ledger.count(confirmed(original_reference=None))
    # Mark, standing, balance, window, day, and the sale.
    assert writes == [6]
    ledger.count(reconciled())
    assert writes == [6, 5]


def test_a_refund_s_story_names_its_sale_and_the_sale_s_what_is_left(ledger):
    ledger.count(SALE, REFUND, traced(REFUND, amount="70.00"))
    sale = get(f"/operations/{operation_id_of(SALE)}").body["sale"]
    amounts = [
        {
            "currency": "EUR",
            "sold": "100.00",
            "refunded": "70.00",
            "charged_back": "0.00",
            "reversed": "0.00",
            "set_aside": "0.00",
            "left": "30.00",
        }
    ]
    named = {
        "falcon_operation_id": operation_id_of(SALE),
        "psp_id": "payu-ro",
        "reference": "order 1#1",
        "is_known": True,
        "amounts": amounts,
    }
    assert sale == named | {
        "operations": [
            {
                "falcon_operation_id": operation_id_of(REFUND),
                "type": "refund",
                "currency": "EUR",
                "confirmed": "60.00",
                "reconciled": "70.00",
                "set_aside": "0.00",
            }
        ],
        "has_more_operations": False,
    }
    assert get(f"/operations/{operation_id_of(REFUND)}").body["sale"] == named


def test_a_seller_sees_which_sale_it_was_and_no_figures_of_it(ledger):
    ledger.count(SOLD, returned("1.00"))
    story = get(f"/operations/{operation_id_of(returned('1.00'))}", merchant_id="m-a").body
    assert story["sale"] == {
        "falcon_operation_id": operation_id_of(SOLD),
        "psp_id": "payu-ro",
        "reference": "order-1",
    }


def references(query: dict[str, object], merchant_id: str = "m-5553") -> list[str]:
    found = pages("/operations", query, merchant_id)
    return [each["external_reference"] for page in found for each in page["operations"]]


def test_operations_are_found_by_the_reference_they_bear_or_have_as_original(ledger):
    ledger.count(SALE, traced(SALE), REFUND, confirmed(external_reference="order-9"))
    ledger.count(payout(payout_id="p-1"), adjustment(adjustment_id="p-1"))
    assert sorted(references({"reference": "order 1#1"})) == ["order 1#1", "order 1#1", "r-1"]
    assert references({"reference": "r-1"}) == ["r-1"]
    assert references({"reference": "p-1"}) == ["p-1", "p-1"]
    assert references({"reference": "order 1"}) == []
    assert references({"reference": "order 1#1", "type": "refund"}) == ["r-1"]
    assert references({"reference": "order 1#1", "stage": "reconciled"}) == ["order 1#1"]
    ledger.count(confirmed(external_reference="o-a", local_merchant_id="a", shop_id="shop-a"))
    assert references({"reference": "order 1#1"}, "m-a") == []
    assert len(references({"reference": "order 1#1", "limit": 1})) == 3
    assert get("/operations", {"reference": " x"}).status == 422


def test_a_reference_borne_by_too_many_operations_is_said_to_be(ledger):
    events = [of_sale("refund", f"r-{n}", "0.01") for n in range(51)]
    ledger.count(*events)
    answer = get("/operations", {"reference": "order 1#1"})
    assert (answer.status, answer.named) == (422, ["reference"])


def test_sales_lie_where_nothing_else_does(ledger):
    ledger.count(SALE, REFUND)
    assert ledger.store.item(ItemKey("MERCHANT#m-5553", "SALE#payu-ro#order 1#1"))
    assert sale_of(ledger).left("EUR") == 4000
    assert id_of(SALE) == KEY.sale_id
