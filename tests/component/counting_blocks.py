"""A reducer on the fakes that counts refunds and payouts for which money was set aside."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from falcon_balances.adapters.authorizing import end_authorization, find_authorization
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.links import BlockNameV1, LinksV1, SettledV1
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.authorizations import Authorization, BlockName, Current
from falcon_balances.domain.blocks import Block, BlockStatus
from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payouts import withdrawal_of
from falcon_balances.domain.refund_authorization import (
    Debit,
    Seen,
    authorization_writes,
    blocks_for,
)
from falcon_balances.domain.table_keys import BalanceKey, ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.journal import MemoryJournal
from falcon_balances.fakes.storage import MemoryQuarantine
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.expirer.handler import expire_blocks
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from lambdas.systems_api.blocking import request_block
from tests.builders import (
    RECEIVED_AT,
    confirmed,
    data_of,
    operation_id_of,
    reconciled,
    records_of,
)
from tests.builders import claim_of as claim_of_event
from tests.component.conftest import no_wait
from tests.component.lambda_events import ARRIVED_AT
from tests.component.world import utc

NOW = utc("2026-11-20T10:20:00")
BALANCE = ItemKey("MERCHANT#m-5553", "BALANCE#bs-5553-eur#EUR")
REFUND = confirmed(type="refund", external_reference="refund-1", amount="15.00")
REFUND_MARK = f"OPERATION#{operation_id_of(REFUND)}#confirmed"


REFUND_ID = operation_id_of(REFUND)
ATTEMPT = Authorization(
    falcon_operation_id=REFUND_ID,
    attempt=1,
    merchant_id="m-5553",
    asked={"external_reference": "refund-1"},
    currency="EUR",
    amount=1500,
    requested_by="anna",
    created_at=NOW,
    expiry=NOW,
)


def authorization(amount: int = 1500, balance_shop_id: str = "bs-5553-eur") -> Block:
    """The block that the refund's authorization makes."""
    debit = Debit("m-5553", BalanceKey(balance_shop_id, "EUR"), amount)
    [block] = blocks_for(ATTEMPT, [debit])
    return block


def links(*blocks: Block) -> LinksV1:
    """What the persister finds beside the refund's claim, while these were set aside for it."""
    names = tuple(BlockNameV1(merchant_id=b.merchant_id, block_id=b.block_id) for b in blocks)
    return LinksV1(blocks=names, settled=SettledV1(attempt=1))


def refund(*blocks: Block, **changes: Any) -> bytes:
    [record] = records_of(claim_of_event(REFUND | changes), links(*blocks))
    return data_of(record)


def traced_refund(*blocks: Block) -> bytes:
    later = reconciled(type="refund", external_reference="refund-1", amount="15.00")
    [record] = records_of(claim_of_event(later), links(*blocks))
    return data_of(record)


@dataclass
class Counting:
    """A reducer on the fake store, with 100.00 EUR available and what happens at its calls."""

    store: MemoryBalanceStore = field(default_factory=MemoryBalanceStore)
    quarantine: MemoryQuarantine = field(default_factory=MemoryQuarantine)
    passed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store.transact([AddCounters(BALANCE, {"available": 10000})])

    def reduce(self, *records: bytes, at: datetime = ARRIVED_AT) -> None:
        self.reduce_arrivals(*((data, at) for data in records))

    def reduce_arrivals(self, *records: tuple[bytes, datetime]) -> None:
        """One batch, in which each record has an arrival time of its own."""
        stream = MemoryBalanceStream(lambda: ARRIVED_AT)
        journal = MemoryJournal()
        world = ReducerPorts(self.store, stream, self.quarantine, journal, wait=no_wait)
        reduce_batch(next(iter(stream.by_id)), [StreamRecord(*each) for each in records], world)

    def request(self, block: Block) -> None:
        """What was authorized of the refund, or set aside for a payout."""
        if block.operation_id is None:
            request_block(block, self.store, wait=no_wait)
            return
        made = replace(ATTEMPT, blocks=(BlockName(block.merchant_id, block.block_id),))
        assert not self.store.transact(authorization_writes(made, [block], Seen(Current()), {}))

    def end(self, status: BlockStatus) -> None:
        if status is BlockStatus.EXPIRED:
            assert expire_blocks(NOW, self.store) == 1
            return
        held = find_authorization(ATTEMPT.key, self.store)
        assert held is not None
        end_authorization(held, status, NOW, "anna", self.store, wait=no_wait)

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
