"""A block and the operation it was made for: the money is taken once, whoever comes first."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.contracts.blocks import RefundAuthorizationRequestV1
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.blocks import Block, BlockStatus
from falcon_balances.domain.counting import AddCounters, ItemKey, block_sk, merchant_pk
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.operations import PayoutRequest, Stage
from falcon_balances.domain.payouts import payout_block, withdrawal_of
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.storage import MemoryQuarantine
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.balance_api.blocking import BlockConflictError, release, request_block
from lambdas.expirer.handler import expire_blocks
from lambdas.reducer.batch import ATTEMPTS, World, reduce_batch
from lambdas.reducer.records import StreamRecord
from tests.builders import (
    RECEIVED_AT,
    confirmed,
    context_of,
    data_of,
    marketplace,
    operation_id_of,
    reconciled,
    record_of,
    records_of,
    shop,
)
from tests.builders import claim_of as claim_of_event
from tests.component.conftest import no_wait
from tests.component.world import ARRIVED_AT, BALANCES_TABLE, utc

NOW = utc("2026-11-20T10:20:00")
BALANCE = ItemKey("MERCHANT#m-5553", "BALANCE#bs-5553-eur#EUR")
REFUND = confirmed(type="refund", external_reference="refund-1", amount="15.00")
REFUND_MARK = f"OPERATION#{operation_id_of(REFUND)}#confirmed"


def authorization(amount: str = "15.00", **changes: Any) -> Block:
    asked = RefundAuthorizationRequestV1(
        psp_id=REFUND["psp_id"],
        external_reference="refund-1",
        **shop("5553"),
        amount=amount,
        currency="EUR",
    )
    return replace(asked.to_block("m-5553", "bs-5553-eur", "anna", NOW), **changes)


def refund(**changes: Any) -> bytes:
    return data_of(record_of(REFUND | changes))


@dataclass
class Counting:
    """A reducer on the fake store, with 100.00 EUR available and what happens at its calls."""

    store: MemoryBalanceStore = field(default_factory=MemoryBalanceStore)
    quarantine: MemoryQuarantine = field(default_factory=MemoryQuarantine)
    passed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store.transact([AddCounters(BALANCE, {"available": 10000})])

    def reduce(self, *records: bytes, at: datetime = ARRIVED_AT) -> None:
        stream = MemoryBalanceStream(lambda: at)
        world = World(self.store, stream, self.quarantine, wait=no_wait)
        reduce_batch(next(iter(stream.by_id)), [StreamRecord(r, at) for r in records], world)

    def request(self, block: Block) -> Block:
        return request_block(block, self.store, wait=no_wait)

    def before_transaction(self, happens: Callable[[], object], times: int = 1) -> None:
        """After the reducer has read the blocks, others get in, `times` times."""
        left = [happens] * times

        def interrupt(point: str) -> None:
            self.passed.append(point)
            if point == "before MemoryBalanceStore.transact" and left:
                happening = left.pop()
                self.store.interrupt = lambda _point: None
                happening()
                self.store.interrupt = interrupt

        self.store.interrupt = interrupt

    def money(self) -> tuple[int, int]:
        """Available and blocked."""
        counters = self.store.counters[BALANCE]
        return counters["available"], counters.get("blocked", 0)

    def block(self, block: Block) -> Block:
        return self.store.blocks([block.key])[block.key]


@pytest.fixture
def counting() -> Counting:
    return Counting()


def test_a_refund_settles_the_block_that_was_made_for_it(counting):
    counting.request(authorization())
    assert counting.money() == (8500, 1500)
    counting.reduce(refund())
    assert counting.money() == (8500, 0)
    ended = counting.block(authorization())
    assert (ended.status, ended.ended_at, ended.ended_by) == (
        BlockStatus.SETTLED,
        ARRIVED_AT,
        REFUND_MARK,
    )


@pytest.mark.parametrize(
    ("blocked", "available"), [("40.00", 8500), ("15.00", 8500), ("5.00", 8500), ("100.00", 8500)]
)
def test_what_the_refund_did_not_need_is_released_with_it(counting, blocked, available):
    counting.request(authorization(blocked))
    counting.reduce(refund())
    assert counting.money() == (available, 0)


def test_a_repeated_refund_changes_nothing(counting):
    counting.request(authorization("40.00"))
    counting.reduce(refund(), refund())
    ended, counters = counting.block(authorization("40.00")), dict(counting.store.counters)
    counting.reduce(refund())
    counting.reduce(refund(), at=utc("2026-11-20T11:00:00"))
    assert counting.block(authorization("40.00")) == ended
    assert counting.store.counters == counters
    assert counting.quarantine.bodies == {}


def test_a_refund_without_an_authorization_counts_and_leaves_no_room_for_one(counting):
    counting.reduce(refund())
    assert counting.money() == (8500, 0)
    with pytest.raises(BlockConflictError, match="counted already") as refused:
        counting.request(authorization())
    assert refused.value.field == "external_reference"
    assert counting.money() == (8500, 0)


def test_an_authorization_that_comes_between_reading_and_counting_is_settled(counting):
    counting.before_transaction(lambda: counting.request(authorization("40.00")))
    counting.reduce(refund())
    assert counting.passed.count("before MemoryBalanceStore.companions") == 2
    assert counting.block(authorization("40.00")).status is BlockStatus.SETTLED
    assert counting.money() == (8500, 0)


@pytest.mark.parametrize("status", [BlockStatus.RELEASED, BlockStatus.EXPIRED])
def test_a_block_that_ends_between_reading_and_counting_gives_back_once(counting, status):
    block = authorization(expiry=NOW)
    counting.request(block)
    counting.before_transaction(
        (lambda: release(block, "anna", NOW, counting.store, no_wait))
        if status is BlockStatus.RELEASED
        else (lambda: expire_blocks(NOW, counting.store))
    )
    counting.reduce(refund())
    assert counting.block(block).status is status
    assert counting.money() == (8500, 0)


@pytest.mark.parametrize("status", [BlockStatus.RELEASED, BlockStatus.EXPIRED])
def test_a_refund_after_its_block_has_ended_counts_all_the_same(counting, status):
    block = authorization(expiry=NOW)
    counting.request(block)
    if status is BlockStatus.RELEASED:
        release(block, "anna", NOW, counting.store, no_wait)
    else:
        assert expire_blocks(NOW, counting.store) == 1
    before = counting.block(block)
    counting.reduce(refund())
    assert counting.block(block) == before
    assert counting.money() == (8500, 0)


def test_a_refund_that_was_refused_and_came_all_the_same_is_a_fact(counting):
    refused = counting.request(authorization("100.01"))
    assert (refused.status, refused.available) == (BlockStatus.REFUSED, 10000)
    counting.reduce(refund(amount="100.01"))
    assert counting.money() == (-1, 0)
    assert counting.block(refused) == refused


def test_what_races_without_end_gives_the_batch_back_uncounted(counting):
    """Each time another got in: it was there, then it had ended, and so on."""
    block = authorization()
    key = block.key

    def toggle() -> None:
        if key in counting.store.marks:
            del counting.store.marks[key]
        else:
            counting.store.marks[key] = block.attributes()

    counting.before_transaction(toggle, times=99)
    with pytest.raises(TransientError, match="1 segments not counted"):
        counting.reduce(refund())
    assert counting.passed.count("before MemoryBalanceStore.transact") == ATTEMPTS
    assert ItemKey(BALANCE.pk, REFUND_MARK) not in counting.store.marks
    assert counting.money() == (10000, 0)


def test_a_block_on_another_balance_is_given_back_there(counting):
    """The context changed between the authorization and the refund."""
    before = ItemKey(BALANCE.pk, "BALANCE#bs-before#EUR")
    counting.store.transact([AddCounters(before, {"available": 5000})])
    counting.request(authorization(balance_shop_id="bs-before"))
    assert counting.store.counters[before] == {"available": 3500, "blocked": 1500}
    counting.reduce(refund())
    assert counting.store.counters[before] == {"available": 5000, "blocked": 0}
    assert counting.money() == (8500, 0)


def test_another_merchant_s_block_of_the_same_refund_is_not_touched(counting):
    """Every merchant of a refund has its own; this one is not in it."""
    other = authorization(merchant_id="m-other", balance_shop_id="bs-other-eur")
    counting.store.transact([AddCounters(other.balance_key, {"available": 5000})])
    counting.request(other)
    counting.reduce(refund())
    assert counting.block(other).status is BlockStatus.ACTIVE


def traced_refund() -> bytes:
    later = reconciled(type="refund", external_reference="refund-1", amount="15.00")
    return data_of(record_of(later))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", [(refund, traced_refund), (traced_refund, refund)])
def test_whichever_stage_of_a_refund_comes_first_ends_its_block(counting, order, together):
    counting.request(authorization())
    first, second = (make() for make in order)
    counting.reduce(*([first, second] if together else [first]))
    assert counting.block(authorization()).status is BlockStatus.SETTLED
    assert counting.money() == (8500, 0)
    counting.reduce(second)
    assert counting.money() == (8500, 0)


def test_a_refund_that_only_the_bank_knows_cannot_be_authorized_again(counting):
    counting.reduce(traced_refund())
    with pytest.raises(BlockConflictError, match="counted already"):
        counting.request(authorization())
    assert counting.money() == (8500, 0)


class DiedError(Exception):
    """The reducer's process has ended."""


@pytest.mark.parametrize("call", range(8))
def test_a_block_on_another_balance_is_given_back_wherever_the_reducer_died(counting, call):
    """The operation is counted in one transaction, the block ends in another one."""
    before = ItemKey(BALANCE.pk, "BALANCE#bs-before#EUR")
    counting.store.transact([AddCounters(before, {"available": 5000})])
    counting.request(authorization(balance_shop_id="bs-before"))

    def die(point: str) -> None:
        counting.passed.append(point)
        if len(counting.passed) == call + 1:
            raise DiedError

    counting.store.interrupt = die
    with pytest.raises(DiedError):
        counting.reduce(refund())
    counting.store.interrupt = lambda _point: None
    counting.reduce(refund())
    assert counting.store.counters[before] == {"available": 5000, "blocked": 0}
    assert counting.money() == (8500, 0)


def test_blocks_windows_and_days_do_not_mix(counting):
    counting.request(authorization("40.00"))
    counting.reduce(refund())
    for key, counters in counting.store.counters.items():
        if not key.sk.startswith("BALANCE#"):
            assert "blocked" not in counters
            assert counters.get("available", -1500) == -1500


def test_each_merchant_of_a_refund_settles_its_own_block(counting):
    """The marketplace's own leg comes behind its fee of the seller's."""
    document = marketplace(
        [("5553", "10.00", "1.00"), ("market", "5.00", None)],
        "15.00",
        type="refund",
        external_reference="refund-1",
    )
    market = authorization(merchant_id="m-market", balance_shop_id="bs-market-eur")
    counting.store.transact([AddCounters(market.balance_key, {"available": 5000})])
    for block in (authorization(), market):
        counting.request(block)
    claim = claim_of_event(document, context_of("5553"), context_of("market"))
    counting.reduce(*map(data_of, records_of(claim)))
    for block in (authorization(), market):
        assert counting.block(block).status is BlockStatus.SETTLED
    assert counting.store.counters[market.balance_key]["blocked"] == 0
    assert counting.money()[1] == 0


def test_many_refunds_of_one_batch_settle_each_its_own(counting):
    counting.store.transact([AddCounters(BALANCE, {"available": 10**6})])
    documents = [
        confirmed(type="refund", external_reference=f"many-{n}", amount="1.00") for n in range(60)
    ]
    blocks = [
        authorization("2.00", block_id=operation_id_of(document), reference=f"many-{n}")
        for n, document in enumerate(documents)
    ]
    for block in blocks[::2]:
        counting.request(block)
    counting.reduce(*(data_of(record_of(document)) for document in documents))
    assert {counting.block(block).status for block in blocks[::2]} == {BlockStatus.SETTLED}
    assert counting.money() == (10000 + 10**6 - 60 * 100, 0)


PARSED = parse_document(
    {
        "schema_version": "1",
        "payout_id": "payout-1",
        "merchant_id": "m-5553",
        "balance_shop_id": "bs-5553-eur",
        "amount": "70.00",
        "currency": "EUR",
        "requested_at": "2026-11-20T10:15:00Z",
    },
    Stage.PAYOUT,
)
assert isinstance(PARSED, PayoutRequest)
REQUEST: PayoutRequest = PARSED


def withdrawal(amount: int) -> bytes:
    claim = ClaimV1.of(REQUEST, RECEIVED_AT, withdrawal_of(REQUEST, amount))
    [record] = records_of(claim)
    return data_of(record)


def test_a_withdrawal_settles_its_payout_s_block_and_only_once(counting):
    block = payout_block(REQUEST, 7000, NOW)
    counting.request(block)
    assert counting.money() == (3000, 7000)
    for _ in range(2):
        counting.reduce(withdrawal(7000))
        assert counting.money() == (3000, 0)
    assert counting.store.counters[BALANCE]["withdrawn"] == 7000
    ended = counting.block(block)
    assert ended.status is BlockStatus.SETTLED
    assert ended.ended_by == f"OPERATION#{block.block_id}#payout"


def test_a_withdrawal_without_a_block_counts_as_a_fact(counting):
    counting.reduce(withdrawal(7000))
    assert counting.money() == (3000, 0)


def test_on_dynamodb_too(aws):
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    store.transact([AddCounters(BALANCE, {"available": 10000})])
    payout = payout_block(REQUEST, 7000, NOW)
    for block in (authorization("20.00"), payout):
        assert request_block(block, store, wait=no_wait) == block
    unblocked = confirmed(type="refund", external_reference="refund-2", amount="1.00")
    batch = refund(), withdrawal(7000), data_of(record_of(unblocked))
    for _ in range(2):
        aws.reduce(*batch)
    counters = aws.balance()
    assert (counters["available"], counters["blocked"]) == (10000 - 1500 - 7000 - 100, 0)
    blocks = aws.items("BLOCK")
    assert {block["status"] for block in blocks.values()} == {"settled"}
    assert not any("expiring" in block for block in blocks.values())
    assert aws.quarantined() == []
    absent = ItemKey(merchant_pk("m-5553"), block_sk(operation_id_of(unblocked)))
    assert store.blocks([absent]) == {}
