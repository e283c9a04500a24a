"""Revisions through every function: the whole truth as it is now, after what it revises."""

from datetime import timedelta
from typing import Any

import pytest

from falcon_balances.domain.operations import Stage
from lambdas.persister import handler as persister
from lambdas.persister.deciding import WAIT_MAX
from tests.builders import (
    SENT_AT,
    confirmed,
    context_of,
    marketplace,
    raw,
    reconciled,
    shop,
)
from tests.component.conftest import forget_adapters
from tests.component.revising import REVISED_AT, WITH_FEE, amounts, codes, figures, revised, traced


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """The persister looks at a message when it was sent."""
    monkeypatch.setattr(persister, "utc_now", lambda: SENT_AT)


@pytest.fixture
def reconcile(aws, monkeypatch):
    """Dispatches what was traced, which has a queue of its own."""

    def dispatch(*bodies: bytes) -> list[str]:
        monkeypatch.setenv("STAGE", "reconciled")
        forget_adapters()
        failed: list[str] = aws.dispatch(*bodies)
        monkeypatch.setenv("STAGE", "confirmed")
        forget_adapters()
        return failed

    return dispatch


@pytest.fixture
def sold(aws):
    """100.00 with a fee of 1.00 is confirmed and counted."""
    aws.load(WITH_FEE, context_of("other"))
    assert aws.dispatch(raw(confirmed())) == []
    aws.drain()
    return aws


def test_a_void_takes_everything_back(sold):
    assert sold.dispatch(revised("0.00")) == []
    sold.drain()
    assert amounts(sold, ".r2.csv") == [("capture", "-100.00"), ("psp_fee", "1.00")]
    assert figures(sold) == {"operations_count": 4}


def test_a_sale_that_was_settled_short_is_available_as_far_as_both_agree(sold, reconcile):
    assert reconcile(raw(reconciled())) == []
    assert reconcile(traced("77.00")) == []
    sold.drain()
    agreed = {"confirmed": 9900, "reconciled": 7623, "pending": 2277, "available": 7623}
    assert figures(sold) == agreed | {"operations_count": 6}
    assert sold.dispatch(revised("77.00")) == []
    sold.drain()
    same = {"confirmed": 7623, "reconciled": 7623, "available": 7623}
    assert figures(sold) == same | {"operations_count": 8}


def test_money_at_the_wrong_merchant_is_put_right(sold, reconcile):
    assert reconcile(raw(reconciled(**shop("other")))) == []
    sold.drain()
    assert figures(sold, "other") == {
        "reconciled": 10000,
        "unapplied": 10000,
        "operations_count": 1,
    }
    assert reconcile(traced("100.00")) == []
    sold.drain()
    assert figures(sold, "other") == {"operations_count": 2}
    assert figures(sold)["available"] == 9900


def test_the_same_truth_again_is_claimed_and_changes_nothing(sold):
    before, log = figures(sold), sold.log()
    assert sold.dispatch(revised("100.00")) == []
    sold.drain()
    assert (figures(sold), sold.log(), codes(sold)) == (before, log, [])
    assert sold.dispatch(revised("99.00")) == []
    assert codes(sold) == ["E_ID_CONFLICT"]


def test_revisions_in_one_batch_are_taken_in_their_order(aws):
    aws.load(WITH_FEE)
    bodies = (revised("60.00", 3), revised("80.00", 2), raw(confirmed()))
    assert aws.dispatch(*bodies) == []
    aws.drain()
    assert figures(aws) == {"confirmed": 5940, "pending": 5940, "operations_count": 6}


def test_a_revision_that_overtook_comes_back_alone(aws):
    aws.load(WITH_FEE)
    good = raw(confirmed(external_reference="order-2"))
    assert aws.dispatch(revised("80.00"), good) == ["message-0"]
    assert codes(aws) == []
    assert aws.dispatch(raw(confirmed()), revised("80.00")) == []
    aws.drain()
    assert figures(aws)["confirmed"] == 7920 + 9900


def test_a_revision_whose_predecessor_never_came_is_refused_after_twenty_hours(aws, monkeypatch):
    aws.load(WITH_FEE)
    monkeypatch.setattr(persister, "utc_now", lambda: SENT_AT + WAIT_MAX)
    assert aws.dispatch(revised("80.00")) == ["message-0"]
    monkeypatch.setattr(persister, "utc_now", lambda: SENT_AT + WAIT_MAX + timedelta(seconds=1))
    assert aws.dispatch(revised("80.00")) == []
    assert codes(aws) == ["E_REVISION"]
    assert aws.claims() == []


def test_a_revision_dated_before_an_earlier_one_is_refused(sold):
    assert sold.dispatch(revised("80.00", revised_at="2026-11-20T10:15:29Z")) == []
    assert sold.dispatch(revised("80.00", revised_at="2026-11-20T10:15:30Z")) == []
    assert sold.dispatch(revised("70.00", 3, revised_at="2026-11-20T10:15:29Z")) == []
    assert codes(sold) == ["E_DATE", "E_DATE"]
    sold.drain()
    assert figures(sold)["confirmed"] == 7920


def test_the_same_revision_again_changes_nothing(sold):
    assert sold.dispatch(revised("80.00"), revised("80.00")) == []
    versions = sold.log_versions()
    assert sold.dispatch(revised("80.00"), raw(confirmed())) == []
    sold.drain()
    assert sold.log_versions() == versions
    assert figures(sold)["confirmed"] == 7920


def test_the_records_of_earlier_revisions_go_before_it_again(sold):
    """Whoever claimed them may have died before they were on the stream."""
    before = len(sold.published())
    assert sold.dispatch(revised("80.00")) == []
    again = sold.published()[before:]
    assert [(each.get("revision", 1), each.get("after")) for each in again] == [(1, None), (2, 1)]


def test_a_revision_names_the_last_one_that_touched_its_merchant(aws):
    """Seller b is not touched by the second revision: its third follows its first."""
    aws.load(*(context_of(name) for name in ("market", "a", "b")))

    def basket(a: str, b: str, total: str, **more: Any) -> bytes:
        return raw(marketplace([("a", a, None), ("b", b, None)], total, **more))

    at = {"revised_at": REVISED_AT}
    assert aws.dispatch(basket("60.00", "40.00", "100.00")) == []
    assert aws.dispatch(basket("50.00", "40.00", "90.00", revision=2, **at)) == []
    assert aws.dispatch(basket("50.00", "30.00", "80.00", revision=3, **at)) == []
    named = {
        (each["merchant_id"], each.get("revision", 1)): each.get("after")
        for each in aws.published()
    }
    assert named == {
        ("m-a", 1): None,
        ("m-b", 1): None,
        ("m-a", 2): 1,
        ("m-b", 3): 1,
    }
    aws.drain()
    assert figures(aws, "a")["pending"] == 5000
    assert figures(aws, "b")["pending"] == 3000


def test_a_revision_can_be_traced_before_its_first_is_counted_elsewhere(aws, reconcile):
    """Each stage has revisions of its own."""
    aws.load(WITH_FEE)
    assert reconcile(raw(reconciled()), traced("90.00")) == []
    aws.drain()
    assert figures(aws)["unapplied"] == 8910
    claims = {claim.staged for claim in aws.claims()}
    assert claims == {Stage.RECONCILED.value, "reconciled.2"}


def test_another_bank_reference_alone_is_a_revision_too(sold, reconcile):
    assert reconcile(raw(reconciled())) == []
    assert reconcile(traced("100.00", bank_reference="bank-2")) == []
    sold.drain()
    assert figures(sold)["available"] == 9900
    assert sorted(amounts(sold, ".r2.csv")) == [
        ("capture", "-100.00"),
        ("capture", "100.00"),
        ("psp_fee", "-1.00"),
        ("psp_fee", "1.00"),
    ]
