"""What a person should look at before a merchant is paid: every fact counts, and is listed."""

import pytest

from tests.e2e.events import DATE, confirmed, context, direct, part, reconciled
from tests.e2e.rounds import Figures, after, ask, figures, load, operation_id

PSP = "find-psp"
BOTH = {"EUR": "bs-find-usd", "USD": "bs-find-usd-usd"}
NAMES = ("above", "twice", "reversal", "market", "seller", "owner", "other", "repeat", "credit")
MERCHANTS = [
    *(context(PSP, f"find-{name}") for name in NAMES),
    context(PSP, "find-fine"),
    context(PSP, "find-usd", balance_shops=BOTH),
]


def sale(name, amount="100.00", **changes):
    return confirmed(PSP, f"sale-{name}", f"find-{name}", amount, **changes)


def of_sale(name, reference, kind, amount, **changes):
    more = {"type": kind, "original_reference": f"sale-{name}", **changes}
    return confirmed(PSP, reference, f"find-{name}", amount, **more)


SPLITS = [part("find-seller", "50.00", marketplace_fee="5.00")]
BACK = [part("find-seller", "10.00", marketplace_fee="10.00")]
TRACED = [
    *(sale(name) for name in ("above", "twice", "usd", "repeat", "fine")),
    sale("reversal", "500.00"),
    sale("market", "50.00", splits=SPLITS),
]
# Traced as well, or it gives nothing back, and the second loss takes more than was sold.
WON = of_sale("repeat", "dispute", "chargeback_reversal", "100.00")
CONFIRMED = [
    *TRACED,
    of_sale("above", "r-1", "refund", "60.00"),
    of_sale("above", "r-2", "refund", "60.00"),
    of_sale("above", "r-3", "refund", "5.00", original_reference="no-such-sale"),
    of_sale("twice", "r-4", "refund", "100.00"),
    of_sale("twice", "c-1", "chargeback", "100.00"),
    of_sale("usd", "r-5", "refund", "10.00", currency="USD"),
    of_sale("reversal", "no-dispute", "chargeback_reversal", "500.00"),
    of_sale("market", "r-6", "refund", "10.00", splits=BACK),
    sale("owner"),
    of_sale("repeat", "dispute", "chargeback", "100.00"),
    WON,
    sale("credit"),
    of_sale("fine", "r-7", "refund", "30.00"),
]
RECONCILED = [
    *map(reconciled, TRACED),
    reconciled(WON),
    reconciled({**sale("owner"), **part("find-other", "100")}),
]
CREDIT = direct(
    "find-credit", "adjustment_id", "find-1", "100.00",
    direction="credit", adjusted_at=DATE, reason="paid early", reason_code="paid-early",
    requested_by="anna", corrects=operation_id(PSP, "capture", "sale-credit"),
)  # fmt: skip
# Lost once more after it had been won: on the same day, so that its occurrence alone says so.
AGAIN = of_sale("repeat", "dispute", "chargeback", "100.00", occurrence=2)
KINDS = {
    "above": {"refunded_above_sale", "unknown_sale"},
    "usd": {"other_currency"},
    "reversal": {"reversal_without_chargeback"},
    "market": {"commission_above_taken"},
    "owner": {"merchants_contradict"},
    "other": {"merchants_contradict"},
    "repeat": {"dispute_repeated"},
    "credit": {"credit_of_open_operation"},
    "fine": set(),
}


@pytest.fixture(scope="module")
def counted(local_stack, tmp_path_factory):
    load(local_stack, tmp_path_factory.mktemp("find"), MERCHANTS)
    after(local_stack, confirmed=CONFIRMED, reconciled=RECONCILED)
    return after(local_stack, confirmed=[AGAIN], adjustment=[CREDIT])


def kinds(stack, name):
    answer = ask(stack, name, "findings")
    assert answer.status == 200, answer
    return {each["kind"] for each in answer.document["findings"]}


def test_refunds_of_60_60_and_5_on_a_sale_of_100_are_counted_and_found(local_stack, counted):
    assert kinds(local_stack, "find-above") == KINDS["above"]
    # 100.00 - 60.00 - 60.00 - 5.00; the last names a sale that nobody has confirmed.
    assert figures(counted, "find-above") == Figures(
        confirmed="-25.00", reconciled="100.00", debits_untraced="125.00", available="-25.00"
    )


def test_refund_and_chargeback_of_one_sale_are_counted_and_found(local_stack, counted):
    assert "refunded_and_charged_back" in kinds(local_stack, "find-twice")
    assert figures(counted, "find-twice") == Figures(
        confirmed="-100.00", reconciled="100.00", debits_untraced="200.00", available="-100.00"
    )


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_found_at_the_merchants_whom_it_hurts(local_stack, counted, name):
    assert counted
    assert kinds(local_stack, f"find-{name}") == KINDS[name]


def test_an_operator_lists_what_is_found_of_a_merchant(local_stack, counted):
    assert counted
    done = local_stack.falcon("ops", "findings", "list", "--merchant", "m-find-twice", "--json")
    assert done.returncode == 0, done.stderr
    assert "refunded_and_charged_back" in done.stdout
