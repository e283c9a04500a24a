"""How a refund that is asked for is decided: granted, refused, as before, or to be tried again."""

from dataclasses import replace

import pytest

from falcon_balances.domain.authorizations import (
    Current,
)
from falcon_balances.domain.blocks import BlockStatus, LoggedMoney
from falcon_balances.domain.refund_authorization import (
    Seen,
    conflict_with_current,
    conflict_with_same,
    grant_of,
    items_to_see,
    refusal,
    seen_of,
)
from falcon_balances.domain.table_keys import current_key
from tests.unit.domain.asked_refunds import (
    ASKED,
    DEBITS,
    HELD,
    KNOWN,
    OPERATION,
    SALE,
    authorized,
)

GRANT = grant_of(ASKED, DEBITS, Seen(Current(), KNOWN))


AT_A, AT_MARKET = (block.balance_key for block in GRANT.blocks)


def test_a_grant_names_its_blocks_and_whether_its_sale_is_known():
    assert GRANT.authorization == authorized(sale_is_known=True)
    assert not grant_of(ASKED, DEBITS, Seen(Current())).authorization.sale_is_known


@pytest.mark.parametrize(
    ("failed", "logged", "expected"),
    [
        # Not one balance said no: others were faster, and the same is tried again.
        ({}, {}, None),
        ({AT_A: {"available": 2000}}, {}, None),
        # Every balance that has too little is named, with what it has.
        ({AT_A: {"available": 1999}}, {}, [("m-a", 2000, 1999)]),
        (
            {AT_A: {"available": -5}, AT_MARKET: {}},
            {},
            [("m-a", 2000, -5), ("m-market", 100, 0)],
        ),
        ({AT_A: {"available": 1999}, AT_MARKET: {"available": 100}}, {}, [("m-a", 2000, 1999)]),
        # The log has less than the table; it counts only as long as nothing more was counted.
        (
            {AT_A: {"available": 9000, "operations_count": 7}},
            {AT_A: LoggedMoney(1500, 7)},
            [("m-a", 2000, 1500)],
        ),
        (
            {AT_A: {"available": 9000, "operations_count": 8}},
            {AT_A: LoggedMoney(1500, 7)},
            None,
        ),
    ],
)
def test_a_refund_is_refused_where_balances_have_too_little(failed, logged, expected):
    found = refusal(GRANT, failed, logged)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.status, found.blocks, found.left) == (BlockStatus.REFUSED, (), None)
    assert [(each.merchant_id, each.amount, each.available) for each in found.short] == expected


@pytest.mark.parametrize(("left", "refused_with"), [(3999, 3999), (-1, -1), (4000, None)])
def test_a_refund_is_refused_above_what_is_left_of_its_sale(left, refused_with):
    sale = {"EUR_sold": 9000, "EUR_left": left, "captures": 1, "version": 1}
    failed = {SALE.item: sale, AT_A: {"available": 0}}  # the sale is looked at first
    found = refusal(GRANT, failed, {})
    assert (None if found is None else found.left) == refused_with
    assert found is None or found.short == ()


def test_a_sale_that_became_known_meanwhile_refuses_nothing_yet():
    unknown = grant_of(ASKED, DEBITS, Seen(Current()))
    sale = {"EUR_sold": 1, "EUR_left": 1, "captures": 1, "version": 1}
    assert refusal(unknown, {SALE.item: sale}, {}) is None


@pytest.mark.parametrize(
    ("status", "conflict"),
    [
        (None, None),
        ("expired", None),
        ("released", None),
        ("active", ("attempt", "attempt 3 is still active")),
        ("settled", ("external_reference", "an operation for this refund was already accepted")),
    ],
)
def test_another_attempt_waits_for_the_one_that_holds_money(status, conflict):
    current = Current(1, 3, None if status is None else BlockStatus(status))
    assert conflict_with_current(current) == conflict


@pytest.mark.parametrize(
    ("changes", "conflict"),
    [
        ({}, None),
        ({"status": BlockStatus.REFUSED}, None),
        ({"status": BlockStatus.EXPIRED}, ("attempt", "the authorization is already expired")),
        (
            {"asked": {**ASKED.asked, "amount": "41.00"}},
            ("amount", "this attempt was already requested with a different value"),
        ),
    ],
)
def test_an_attempt_asked_for_again_has_the_same_answer_while_it_stands(changes, conflict):
    assert conflict_with_same(ASKED, replace(ASKED, **changes)) == conflict


def test_what_must_be_read_is_the_attempt_the_current_one_and_the_sale():
    operation = SALE.operation_item(OPERATION)
    assert items_to_see(ASKED) == [ASKED.key, current_key(OPERATION), SALE.item, operation]
    assert items_to_see(replace(ASKED, sale=None)) == [ASKED.key, current_key(OPERATION)]
    said = {"version": 1, "captures": 1, "EUR_sold": 5, "EUR_left": 5}
    seen = seen_of(ASKED, {SALE.item: said, operation: HELD.attributes()})
    assert (seen.current, seen.operation) == (Current(), HELD)
    assert seen.sale is not None
    assert seen.sale.is_known
