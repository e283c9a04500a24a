"""Payouts of merchants of high risk: the lower of table and log, whatever is counted meanwhile."""

import pytest

from falcon_balances.adapters.log_check import MARKS_MAX, SECONDS_MAX, LogCheck
from falcon_balances.adapters.ports import LogObject, StreamEntry
from falcon_balances.domain.closings import Closing
from falcon_balances.domain.history import Figures
from falcon_balances.domain.merchant_context import ContextKey, Merchant
from falcon_balances.domain.table_keys import BalanceKey, ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from lambdas.payout_decider.patience import LISTING_DELAYS_S, WAITS_S_MAX
from tests.builders import Document, context_of, data_of, records_of
from tests.component.ledger import any_claim_of
from tests.component.paying import BALANCE, Paying, request, returned

CONTEXT = context_of(merchant_id="m-1", balance_shops={"EUR": "bs-1"})


class RiskyPaying(Paying):
    """`m-1` is of high risk and has 100.00 in table and log; `m-2` is not of high risk."""

    def __post_init__(self) -> None:
        super().__post_init__()
        risky = frozenset({ContextKey("payu-ro", "1", "shop-1")})
        self.directory.named["m-1"] = Merchant(frozenset({("bs-1", "EUR")}), risky)
        self.reads = MemoryMerchantReads(self.store, self.claims, "m-1")
        self.clock_s = 0.0
        self.begin()
        self.give(-10000)
        self.add(adjustment("100.00"))
        self.count()

    def begin(self) -> None:
        """Another execution."""
        check = LogCheck(self.store, self.log, lambda _merchant_id: self.reads, self.clock)
        self.read_log = check.logged_money

    def figures(self) -> Figures:
        return Figures.of(self.store.counters[BALANCE])

    def clock(self) -> float:
        return self.clock_s + super().clock()

    def add(self, *documents: Document, is_logged: bool = True) -> None:
        """In the log and on the stream, not counted."""
        for claim in (any_claim_of(document, CONTEXT) for document in documents):
            for record in records_of(claim):
                if is_logged:
                    self.log.append(record.log_key, LogObject(record.body.encode(), {}))
                self.stream.publish([StreamEntry("m-1", data_of(record))])


def adjustment(amount: str, adjustment_id: str = "start") -> Document:
    return request(
        payout_id=None,
        requested_at=None,
        adjustment_id=adjustment_id,
        direction="credit",
        amount=amount,
        adjusted_at="2026-11-20T10:00:00Z",
        reason_code="start",
        reason="start",
        requested_by="anna",
    )


@pytest.fixture
def paying() -> RiskyPaying:
    return RiskyPaying()


def test_a_second_payout_finds_what_the_first_left_while_that_is_not_counted(paying):
    [first] = paying.run(request(amount="50.00"))
    [second] = paying.run(request(amount="50.00", payout_id="payout-2"))
    [third] = paying.run(request(amount="0.01", payout_id="payout-3"))
    assert (first.outcome, second.outcome) == ("accepted", "accepted")
    assert (third.outcome, third.available) == ("refused", "0.00")
    assert paying.count() == {"available": 0, "blocked": 0, "withdrawn": 10000}


def test_a_payout_that_is_decided_and_not_logged_is_taken_off_once(paying):
    paying.decide(request(amount="50.00"))
    [second] = paying.run(request(amount="50.01", payout_id="payout-2"))
    assert (second.outcome, second.available) == ("refused", "50.00")
    assert paying.run(request(amount="50.00", payout_id="payout-3"))[0].outcome == "accepted"


def test_a_payout_that_is_counted_is_taken_off_once(paying):
    paying.run(request(amount="50.00"))
    paying.count()
    [second] = paying.run(request(amount="50.01", payout_id="payout-2"))
    assert (second.outcome, second.available) == ("refused", "50.00")


@pytest.mark.parametrize("is_counted", [False, True])
def test_what_the_log_lacks_is_never_paid(paying, is_counted):
    if is_counted:
        paying.add(adjustment("50.00", "forged"), is_logged=False)
        paying.count()
    else:
        paying.give(5000)
    [first] = paying.run(request(amount="100.01"))
    [second] = paying.run(request(amount="100.00", payout_id="payout-2"))
    assert (first.outcome, first.available) == ("refused", "100.00")
    assert second.outcome == "accepted"


def test_what_is_counted_between_the_opinion_and_the_decision_is_asked_again(paying):
    asked: list[str] = []

    def happens(point: str) -> None:
        if point == "before MemoryPayoutClaims.decide" and not asked:
            asked.append(point)
            paying.add(adjustment("5.00", "late"))
            paying.count()

    paying.happens = happens
    [outcome] = paying.run(request(amount="105.00"))
    assert (outcome.outcome, asked) == ("accepted", ["before MemoryPayoutClaims.decide"])


def test_the_index_is_waited_for(paying):
    paying.add(adjustment("5.00", "late"))
    paying.count()
    paying.reads.is_indexed = lambda _key: bool(paying.waits)
    [outcome] = paying.run(request(amount="105.00"))
    assert (outcome.outcome, paying.waits) == ("accepted", [LISTING_DELAYS_S[0]])


def test_where_closing_and_marks_do_not_make_the_balance_nothing_is_decided(paying):
    """Other merchants' payouts of the same execution are."""
    paying.store.apply([AddCounters(BALANCE, {"adjusted": 1})])
    for merchant_id in ("m-1", "m-2"):
        other = BALANCE._replace(pk=f"MERCHANT#{merchant_id}")
        paying.store.apply([AddCounters(other, {"available": 10000})])
    asked = [request(payout_id=f"p-{n}", merchant_id=f"m-{n % 2 + 1}") for n in range(4)]
    decided = paying.decide(*asked)
    assert [each.is_later for each in decided.messages] == [True, False, True, False]
    assert paying.waits == list(LISTING_DELAYS_S)
    results = paying.announce(paying.record(decided))
    assert [each.is_later for each in results] == [True, False, True, False]
    assert [each.outcome for each in paying.topic.announced] == ["accepted"] * 2
    assert paying.state("p-0") is None


def test_beyond_the_limit_a_payout_comes_back(paying):
    """Nothing is written: it can be decided after the next closing."""
    paying.add(*(adjustment("0.01", f"a-{n}") for n in range(MARKS_MAX)))
    paying.count()
    before = paying.everything()
    [later] = paying.decide(request()).messages
    assert (later.is_later, later.claim, later.rejection) == (True, None, None)
    assert (paying.waits, paying.everything()) == ([], before)
    at_end = Closing(BalanceKey("bs-1", "EUR"), "2026-11-20", paying.figures())
    paying.store.closings[ItemKey(BALANCE.pk, "CLOSING")] = at_end
    assert not paying.decide(request()).messages[0].is_later


def test_who_was_decided_before_goes_on_beyond_the_limit(paying):
    first = paying.decide(request())
    paying.add(*(adjustment("0.01", f"a-{n}") for n in range(MARKS_MAX)))
    paying.count()
    assert paying.decide(request()) == first
    [outcome] = paying.run(request())
    assert outcome.outcome == "accepted"


def test_a_hundred_checks_of_one_execution_end_in_bounded_time(paying):
    """The first takes all the time that there is: the others come back, and nobody fails."""

    def happens(point: str) -> None:
        if point == "after MemoryTransactionLog.read_existing":
            paying.clock_s += SECONDS_MAX + 1

    paying.happens = happens
    requests = [request(payout_id=f"p-{n}", amount="0.01") for n in range(100)]
    decided = paying.decide(*requests, request(payout_id="q", merchant_id="m-2"))
    assert [each.is_later for each in decided.messages] == [False, *[True] * 99, False]
    paying.begin()
    assert not paying.decide(requests[1]).messages[0].is_later


def test_however_long_checks_take_an_execution_ends_in_time(paying):
    """Checks, and then returns that came before their payouts."""
    inner = paying.read_log

    def slow(block):
        money = inner(block)
        paying.clock_s += 1.5
        return money

    paying.read_log = slow
    some = [request(payout_id=f"p-{n}", amount="0.01") for n in range(9)]
    early = [returned(payout_id=f"not-there-{n}") for n in range(3)]
    paying.decide(*some, *early)
    assert paying.clock_s > SECONDS_MAX
    assert sum(paying.waits) > 2
    assert paying.clock() <= WAITS_S_MAX


def test_a_hundred_checks_of_one_merchant_read_its_objects_once(paying, monkeypatch):
    read_existing, read = paying.log.read_existing, list[str]()

    def noted(keys):
        read.extend(keys)
        return read_existing(keys)

    monkeypatch.setattr(paying.log, "read_existing", noted)
    decided = paying.decide(*(request(payout_id=f"p-{n}", amount="0.01") for n in range(100)))
    assert not any(each.is_later for each in decided.messages)
    assert len(read) == 1
