"""Payouts: decided once by what there is, logged and announced; returned only where paid."""

import pytest

from falcon_balances.contracts.payouts import FirstRequestV1, PayoutLoggerInput
from falcon_balances.domain.blocks import BlockStatus, LoggedMoney, block_writes
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.merchant_context import ContextKey, Merchant
from falcon_balances.domain.payouts import payout_block
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.interruptions import never
from tests.builders import RECEIVED_AT
from tests.component.paying import BALANCE, ID, NOW, Paying, paid_out, parsed, request, returned


@pytest.fixture
def paying() -> Paying:
    return Paying()


@pytest.fixture
def paid() -> Paying:
    return paid_out()


def test_a_payout_is_logged_published_and_announced(paying):
    [outcome] = paying.run(request())
    assert (outcome.outcome, outcome.amount, outcome.available) == ("accepted", "40.00", None)
    [(key, logged)] = paying.log.objects.items()
    operation_id = ID
    assert key == f"payout/merchant_id=m-1/date=2026-11-20/{operation_id}.csv"
    assert b",payout-1,-40.00,EUR,withdrawal," not in logged.body.splitlines()[0]
    assert b",payout-1,-40.00,EUR,withdrawal," in logged.body.splitlines()[1]
    assert paying.state() == "paid"
    assert paying.block_status() == [BlockStatus.ACTIVE]
    assert paying.count() == {"available": 6000, "blocked": 0, "withdrawn": 4000}
    assert paying.block_status() == [BlockStatus.SETTLED]


@pytest.mark.parametrize(
    ("available", "changes", "said"),
    [
        (3999, {}, "39.99"),
        (0, {}, "0.00"),
        (-5, {}, "-0.05"),
        (999, {"minimum_amount": "10.00"}, "9.99"),
        (3999, {"minimum_amount": "40.00"}, "39.99"),
        (10000, {"currency": "JPY", "amount": "7"}, "0"),
        (10000, {"balance_shop_id": "bs-2"}, "0.00"),
    ],
)
def test_not_enough_is_refused_and_stays_so_when_money_arrives(paying, available, changes, said):
    paying.give(available - 10000)
    [first] = paying.run(request(**changes))
    assert (first.outcome, first.amount, first.available) == ("refused", None, said)
    paying.give(10**6)
    [again] = paying.run(request(**changes))
    assert again == first
    assert paying.state() == "refused"
    assert paying.log.objects == paying.store.marks == {}
    assert paying.count() == {"available": available + 10**6, "blocked": 0, "withdrawn": 0}


@pytest.mark.parametrize(
    ("available", "amount"), [(1000, "10.00"), (2500, "25.00"), (4000, "40.00"), (4001, "40.00")]
)
def test_from_the_minimum_on_what_there_is_is_paid_up_to_the_amount(paying, available, amount):
    paying.give(available - 10000)
    [outcome] = paying.run(request(minimum_amount="10.00"))
    assert (outcome.outcome, outcome.amount) == ("accepted", amount)
    assert outcome.requested_amount == "40.00"
    minor = int(amount.replace(".", ""))
    assert paying.count() == {"available": available - minor, "blocked": 0, "withdrawn": minor}


@pytest.mark.parametrize(("left", "amount"), [(1500, "15.00"), (999, None)])
def test_money_that_goes_while_it_is_decided_makes_it_less_or_refused(paying, left, amount):
    paying.give(-7500)

    def happens(point: str) -> None:
        if point == "after MemoryPayoutClaims.decide":
            paying.happens = never
            paying.give(left - 2500)

    paying.happens = happens
    [outcome] = paying.run(request(minimum_amount="10.00"))
    assert (outcome.amount, outcome.available) == (amount, None if amount else "9.99")


def test_who_refuses_while_another_attempt_decides_says_what_that_decided(paying):
    paying.give(-10000)
    first: list[PayoutLoggerInput] = []

    def happens(point: str) -> None:
        if point == "before MemoryEventClaims.claim":
            paying.happens = never
            paying.give(10000)
            first.append(paying.decide(request()))

    paying.happens = happens
    assert paying.decide(request()) == first[0]
    assert paying.count() == {"available": 6000, "blocked": 4000, "withdrawn": 0}


def test_a_block_without_a_claim_is_an_alarm_and_nothing_is_decided(paying):
    paying.store.apply(block_writes(payout_block(parsed(request()), 4000, NOW)))
    before = paying.everything()
    with pytest.raises(IntegrityError, match=ID):
        paying.decide(request())
    assert paying.everything() == before


@pytest.mark.parametrize(
    ("logged", "refused_with"),
    [
        ([LoggedMoney(4000, 7)], None),
        ([LoggedMoney(3999, 7)], "39.99"),
        ([LoggedMoney(9999, 6), LoggedMoney(9999, 7)], None),
        ([LoggedMoney(9999, 6), LoggedMoney(100, 7)], "1.00"),
    ],
    ids=["as much", "less", "read too early", "read too early, then less"],
)
def test_what_a_merchant_of_high_risk_has_must_be_in_the_log_too(paying, logged, refused_with):
    risky = frozenset({ContextKey("payu-ro", "1", "shop-1")})
    paying.directory.named["m-1"] = Merchant(frozenset({("bs-1", "EUR")}), risky)
    paying.store.apply([AddCounters(BALANCE, {"operations_count": 7})])
    paying.logged = list(logged)
    [outcome] = paying.run(request())
    assert outcome.outcome == ("refused" if refused_with else "accepted")
    assert outcome.available == refused_with
    assert paying.logged == []
    assert paying.count()["withdrawn"] == (0 if refused_with else 4000)


def test_the_same_request_again_is_the_same_payout(paid):
    claims = dict(paid.claims.claims)
    for _ in range(3):
        assert paid.run(request(), request(minimum_amount=None)) == [paid.topic.announced[0]] * 2
    assert paid.claims.claims == claims
    assert len(paid.log.objects) == 1
    assert paid.count() == {"available": 6000, "blocked": 0, "withdrawn": 4000}


OTHER_CONTENTS = [
    {"amount": "40.01"},
    {"amount": "1.00"},
    {"minimum_amount": "40.00"},
    {"balance_shop_id": "bs-2"},
    {"currency": "JPY", "amount": "40"},
]


@pytest.mark.parametrize("changes", OTHER_CONTENTS, ids=str)
@pytest.mark.parametrize("available", [10000, 0], ids=["paid", "refused"])
def test_another_content_under_a_known_payout_id_is_refused(paying, available, changes):
    paying.give(available - 10000)
    paying.run(request())
    conflict = ("E_ID_CONFLICT", "payout_id: already known with different content")
    assert paying.refusal(request(**changes)) == conflict
    assert paying.topic.announced[-1].first == FirstRequestV1(
        outcome="accepted" if available else "refused",
        received_at=RECEIVED_AT,
        balance_shop_id="bs-1",
        currency="EUR",
        requested_amount="40.00",
        amount="40.00" if available else None,
    )


def test_a_conflict_with_a_request_that_is_under_way_says_that_it_is_open(paying):
    paying.decide(request())
    paying.run(request(amount="41.00"))
    first = paying.topic.announced[-1].first
    assert (first.outcome, first.amount, first.requested_amount) == (None, None, "40.00")


def test_a_rejection_said_again_is_the_same_and_every_other_one_has_its_own_id(paying):
    rejected = [
        request(merchant_id="m-unknown"),
        request(balance_shop_id="bs-unknown"),
        request(balance_shop_id="bs-unknown", amount="41.00"),
        returned(balance_shop_id="bs-unknown"),
    ]
    said = paying.run(*rejected)
    assert paying.run(*rejected) == said
    assert paying.run(rejected[0] | {"requested_at": "2026-11-20T10:16:00Z"}) == said[:1]
    assert len({each.outcome_id for each in said}) == len(said)


@pytest.mark.parametrize(
    "again",
    [
        {"requested_at": "2026-11-20T10:15:01Z"},
        {"valid_until": "2026-11-21T10:15:00Z"},
        {"mode": "test"},
        {"requested_at": "2026-11-01T10:15:00Z", "valid_until": "2026-11-02T10:15:00Z"},
    ],
    ids=str,
)
@pytest.mark.parametrize("available", [10000, 0], ids=["paid", "refused"])
def test_who_asks_again_at_another_time_asks_for_the_same_payout(paying, available, again):
    """Also where it would have been too late: it was decided in time."""
    paying.give(available - 10000)
    [first] = paying.run(request())
    objects = dict(paying.log.objects)
    assert paying.run(request(**again)) == [first]
    assert paying.log.objects == objects


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"requested_at": "2026-01-01T00:00:00Z"}, "accepted"),
        ({"valid_until": "2026-11-20T10:20:00Z"}, "accepted"),
        ({"valid_until": "2026-11-20T10:19:59Z"}, "refused"),
        (
            {"requested_at": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"},
            "accepted",
        ),
    ],
)
def test_a_request_decided_after_it_was_valid_is_refused_and_stays_so(paying, changes, outcome):
    [said] = paying.run(request(**changes))
    is_late = outcome == "refused"
    assert (said.outcome, said.reason) == (outcome, "expired" if is_late else None)
    assert said.available is None
    if is_late:
        later = request(valid_until="2027-01-01T00:00:00Z")
        assert paying.run(later) == [said]
        assert paying.claims.claims[ID, "payout"].refusal == "expired"
        assert paying.log.objects == {}


def test_the_same_payout_id_at_two_merchants_is_two_payouts(paying):
    other = ItemKey("MERCHANT#m-2", "BALANCE#bs-1#EUR")
    paying.store.apply([AddCounters(other, {"available": 10000})])
    outcomes = paying.run(request(), request(merchant_id="m-2", amount="41.00"))
    assert [each.amount for each in outcomes] == ["40.00", "41.00"]
    assert len({each.outcome_id for each in outcomes}) == len(paying.log.objects) == 2
    assert paying.store.counters[other]["available"] == 5900


NO_MERCHANT = ("E_UNKNOWN_MERCHANT", "merchant_id: unknown merchant: no merchant context names it")
NO_BALANCE = (
    "E_NO_BALANCE_SHOP",
    "balance_shop_id, currency: the merchant has no balance of this shop in this currency",
)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"merchant_id": "m-unknown"}, NO_MERCHANT),
        ({"merchant_id": "m-unknown", "balance_shop_id": "bs-unknown"}, NO_MERCHANT),
        ({"balance_shop_id": "bs-unknown"}, NO_BALANCE),
        ({"currency": "USD"}, NO_BALANCE),
        ({"balance_shop_id": "bs-2", "currency": "JPY", "amount": "40"}, NO_BALANCE),
    ],
)
def test_what_names_no_balance_is_refused_and_decides_nothing(paying, changes, refusal):
    assert paying.refusal(request(**changes)) == refusal
    assert paying.refusal(returned(**changes)) == refusal
    assert paying.claims.claims == {}


def test_the_good_of_a_batch_are_paid_beside_the_bad(paying):
    good = [request(payout_id=f"good-{n}", amount="10.00") for n in range(3)]
    bad = [request(merchant_id="m-unknown"), returned(payout_id="never"), request(amount="100.01")]
    batch = [good[0], bad[0], good[1], bad[1], bad[2], good[2]]
    results = paying.announce(paying.record(paying.decide(*batch)))
    codes = [each.rejection.code.value if each.rejection else None for each in results]
    assert codes == [None, "E_UNKNOWN_MERCHANT", None, "E_NOT_PAID", None, None]
    assert [each.message_id for each in results] == [f"message-{n}" for n in range(6)]
    outcomes = [each.outcome for each in paying.topic.announced]
    assert outcomes == ["accepted", "rejected", "accepted", "rejected", "refused", "accepted"]
    assert paying.count() == {"available": 7000, "blocked": 0, "withdrawn": 3000}
