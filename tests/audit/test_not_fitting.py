"""What does not fit is found in the log alone, as the reducer finds it in the table."""

import json
from itertools import permutations

import pytest
from typer.testing import CliRunner

from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.not_fitting import facts_of
from falcon_balances.audit.notes import by_kind, notes_of_merchant, notes_of_operation
from falcon_balances.cli.audit.app import app
from falcon_balances.domain.sale_keys import SaleKey
from generated.logs import write
from tests.audit.logs import MemoryLog
from tests.builders import confirmed, context_of, marketplace, operation_id_of
from tests.component.ledger import Ledger, adjustment
from tests.component.test_sales import LOST, LOST_AGAIN, MORE, REFUND, SALE, WON, of_sale, traced

CONTEXTS = (context_of(), context_of("a"), context_of("b"), context_of("market"))


def counted(*events) -> Ledger:
    ledger = Ledger(CONTEXTS)
    ledger.count(*events)
    return ledger


def log_of(ledger: Ledger) -> MemoryLog:
    return MemoryLog({key: each.body for key, each in sorted(ledger.log.objects.items())})


def in_table(ledger: Ledger, merchant_id: str = "") -> set[tuple[str, str]]:
    """Sort keys, and figures of what is open."""
    return {
        (key.sk, str(said["figures"]))
        for key, said in ledger.store.marks.items()
        if key.sk.startswith("FINDING#")
        and said["status"] == "open"
        and key.pk in (f"MERCHANT#{merchant_id}", key.pk if not merchant_id else "")
    }


def texts(noted) -> set[tuple[str, str]]:
    return {(each.finding.sk, each.finding.text) for each in noted}


def split(kind, shares, amount, reference, **changes):
    event = marketplace(shares, amount, external_reference=reference, type=kind)
    return event | changes


SOLD = split("capture", [("a", "60.00", "6.00"), ("b", "40.00", "4.00")], "100.00", "order 1#1")
SOLD_ELSEWHERE = SOLD | {"external_reference": "order-2"}
BACK = split("refund", [("a", "60.00", "7.00")], "60.00", "r-9", original_reference="order 1#1")
ALL_BACK = BACK | {"splits": [BACK["splits"][0] | {"marketplace_fee": "11.00"}]}
CORRECTED = adjustment(corrects=operation_id_of(SALE))
WORLDS = {
    "nothing": [],
    "all fits": [SALE, traced(SALE), REFUND],
    "above its sale": [SALE, REFUND, MORE],
    "another currency": [SALE, of_sale("refund", "r-3", "10", currency="JPY")],
    "unknown": [REFUND, confirmed(type="refund", external_reference="order 1#1")],
    "both": [SALE, REFUND, LOST],
    "reversal alone": [SALE, WON],
    "won": [SALE, LOST, WON],
    "lost again": [SALE, LOST, WON, traced(WON), LOST_AGAIN],
    "stages": [SALE, REFUND, traced(REFUND, amount="61.00")],
    "other merchants": [SALE, traced(SALE, local_merchant_id="a", shop_id="shop-a")],
    "commission": [SOLD, ALL_BACK],
    "a marketplace that fits": [SOLD, traced(SOLD), BACK],
    "a marketplace's other share": [
        SOLD,
        traced(SOLD | {"splits": [SOLD["splits"][0] | {"amount": "100.00"}]}),
    ],
    "credited while open": [SALE, CORRECTED],
}


@pytest.mark.parametrize("events", WORLDS.values(), ids=WORLDS)
def test_the_log_says_what_the_table_says(events):
    ledger = counted(*events)
    noted = facts_of(log_of(ledger), Selection()).all()
    assert texts(noted) == in_table(ledger)


def test_every_world_but_those_that_fit_has_something_to_find():
    fitting = {name for name, events in WORLDS.items() if not in_table(counted(*events))}
    assert fitting == {"nothing", "all fits", "won", "a marketplace that fits"}


@pytest.mark.parametrize("events", WORLDS.values(), ids=WORLDS)
def test_a_merchant_and_an_operation_are_told_what_concerns_them(events):
    ledger = counted(*events)
    log = log_of(ledger)
    for merchant_id in ("m-5553", "m-a", "m-market"):
        noted = texts(notes_of_merchant(log, merchant_id))
        assert noted >= in_table(ledger, merchant_id)
        assert noted <= in_table(ledger)
    everything = set()
    for event in events[:-1] if CORRECTED in events else events:
        reference = event.get("original_reference", event["external_reference"])
        sale = SaleKey("", "payu-ro", reference)
        noted = texts(notes_of_operation(log, operation_id_of(event), sale))
        assert noted <= in_table(ledger)
        everything |= noted
    assert everything == in_table(ledger)


def test_the_order_of_the_log_changes_nothing():
    ledger = counted(SALE, REFUND, MORE, LOST, traced(REFUND, amount="61.00"))
    objects = [(key, each.body) for key, each in ledger.log.objects.items()]
    found = [
        texts(facts_of(MemoryLog(dict(order)), Selection()).all())
        for order in list(permutations(objects))[::29]
    ]
    assert all(each == in_table(ledger) for each in found)


def test_they_are_counted_by_kind_and_currency():
    more = [
        of_sale("refund", f"x-{n}", "1.00", original_reference=f"lost-{n}", currency=code)
        for n, code in enumerate(("EUR", "EUR", "JPY"))
    ]
    more[-1]["amount"] = "1"
    noted = facts_of(log_of(counted(SALE, REFUND, MORE, *more)), Selection()).all()
    assert [(kind.value, code, n) for kind, code, n in by_kind(noted)] == [
        ("refunded_above_sale", "EUR", 1),
        ("unknown_sale", "EUR", 2),
        ("unknown_sale", "JPY", 1),
    ]


# The commands, on a folder


@pytest.fixture
def falcon(tmp_path):
    ledger = counted(SALE, REFUND, MORE, traced(REFUND, amount="61.00"), SOLD_ELSEWHERE)
    folder = write(dict(log_of(ledger)._objects), tmp_path)

    def run(*words: str):
        done = CliRunner().invoke(app, [*words, "--log", str(folder)])
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_a_merchant_s_explanation_names_them(falcon):
    words = ("explain", "--merchant", "m-5553")
    said = json.loads(falcon(*words, "--json"))["does_not_fit"]
    assert [each["kind"] for each in said] == ["refunded_above_sale", "stages_contradict"]
    assert said[0]["amounts"][0]["figures"]["refunded"] == "121.00"
    assert "refunded 121.00" in falcon(*words)
    past = json.loads(falcon(*words, "--at", "2027-01-01T00:00:00Z", "--json"))
    assert past["does_not_fit"].startswith("not shown with --at")
    assert json.loads(falcon("explain", "--merchant", "m-a", "--json"))["does_not_fit"] == []


@pytest.mark.parametrize(
    ("event", "kinds"),
    [
        (SALE, ["refunded_above_sale"]),
        (REFUND, ["refunded_above_sale", "stages_contradict"]),
        (MORE, ["refunded_above_sale"]),
    ],
)
def test_an_operation_s_story_names_its_own_and_its_sale_s(falcon, event, kinds):
    words = ("explain", "--operation", operation_id_of(event))
    said = json.loads(falcon(*words, "--json"))["does_not_fit"]
    assert [each["kind"] for each in said] == kinds
    assert "kind refunded_above_sale" in falcon(*words)


def test_the_trial_balance_counts_them(falcon):
    said = json.loads(falcon("trial-balance", "--json"))["does_not_fit"]
    counts = [(each["kind"], each["currency"], each["findings"]) for each in said]
    assert counts == [("refunded_above_sale", "EUR", 1), ("stages_contradict", "EUR", 1)]
    assert "stages_contradict" in falcon("trial-balance")
    past = json.loads(falcon("trial-balance", "--at", "2027-01-01T00:00:00Z", "--json"))
    assert past["does_not_fit"] is None
