"""Blocks, refunds, payouts, returns and adjustments, with crashes at every call, in any order."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from falcon_balances.adapters.authorizing import end_authorization, find_authorization
from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.contracts.authorizations import RefundAuthorizationRequestV1
from falcon_balances.contracts.blocks import BlockRequestV1
from falcon_balances.domain.authorizations import Authorization
from falcon_balances.domain.blocks import Block, BlockStatus, LoggedMoney, manual_block_id
from falcon_balances.domain.identity import payout_operation_id
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import GIVE_UP
from falcon_balances.domain.payouts import giving_up
from falcon_balances.domain.refund_authorization import debits_of
from falcon_balances.domain.splitting import split
from falcon_balances.domain.table_keys import AttemptKey, BlockKey, ItemKey, merchant_pk
from lambdas.expirer.handler import expire_blocks
from lambdas.systems_api.authorizing import AuthorizationConflictError, request_authorization
from lambdas.systems_api.blocking import BlockConflictError, release, request_block
from tests.property.actors import Actor
from tests.property.machine import SCHEDULE, Machine, context, in_depth
from tests.property.promises import dump
from tests.property.spending import SpendingPromises

AMOUNTS = st.sampled_from(["0.10", "3.00", "6.00", "10.00"])
REFUNDS = st.sampled_from(["r1", "r2"])
PAYOUTS = st.sampled_from(["po-1", "po-2", "po-3"])
RETURNS = st.sampled_from([None, "r-1", "r-2"])
SALES = st.sampled_from(["c2", "c3"])
STAGES = st.sampled_from([Stage.CONFIRMED, Stage.RECONCILED])
KEYS = st.sampled_from(["k1", "k2"])
PARTS = st.sampled_from([("ann",), ("bob",), ("ann", "bob"), ("bob", "bob")])
DATE = "2026-03-05T09:00:00Z"
TRACED: dict[str, object] = {"reconciled_date": DATE, "bank_reference": "bank-1"}
# The same request, asked again later, or only valid for as long as an early decision takes.
ASKED: list[dict[str, str]] = [
    {"requested_at": DATE},
    {"requested_at": "2026-03-05T09:30:00Z", "mode": "test"},
    {"requested_at": DATE, "valid_until": "2026-03-05T10:08:00Z"},
]
DIRECT = {"schema_version": "1", "merchant_id": "m-ann", "balance_shop_id": "bs-ann"}


def psp_event(kind: str, reference: str, amount: str) -> dict[str, object]:
    return {
        "schema_version": "1",
        "psp_id": "psp",
        "external_reference": reference,
        "type": kind,
        "amount": amount,
        "currency": "EUR",
        "operation_date": DATE,
        "local_merchant_id": "ann",
        "shop_id": "shop",
    }


def split_refund(reference: str, sellers: Sequence[str]) -> dict[str, object]:
    """Of the sale c1, 3.00 by each seller, who gets 0.10 of commission back from ann."""
    splits = [
        {"local_merchant_id": each, "shop_id": "shop", "amount": "3.00", "marketplace_fee": "0.10"}
        for each in sellers
    ]
    event = psp_event("refund", reference, f"{3 * len(sellers)}.00")
    return event | {"splits": splits, "original_reference": "c1"}


class SpendingMachine(Machine):
    def __init__(self) -> None:
        self.spending = SpendingPromises()
        super().__init__(self.spending)

    @initialize(risk=st.sampled_from(["normal", "high"]))
    def bring_money(self, risk: str = "normal") -> None:
        """10.00 of it: less than what will be asked for. Of high risk, the log is asked as well."""
        self.is_high_risk = risk == "high"
        self._load(context("ann", "0") | {"risk": risk})
        self._load(context("bob", "0") | {"risk": risk})
        for local, reference in (("ann", "c1"), ("bob", "b1")):
            captured = psp_event("capture", reference, "10.00") | {"local_merchant_id": local}
            reconciled = captured | TRACED
            for stage, event in ((Stage.CONFIRMED, captured), (Stage.RECONCILED, reconciled)):
                self._send(stage, dump(event))
                self.pipeline.dispatcher(stage, 1)()
        self._finish_all()

    def _start(self, name: str, work: Callable[[], object], schedule: list[Any]) -> None:
        def guarded() -> None:
            with suppress(BlockConflictError):
                work()

        self.actors.append(Actor(name, guarded))
        self._go_on(schedule)

    @rule(reference=REFUNDS, amount=AMOUNTS)
    def confirm_refund(self, reference: str, amount: str) -> None:
        self._send(Stage.CONFIRMED, dump(psp_event("refund", reference, amount)))

    @rule(stage=STAGES, reference=REFUNDS, parts=PARTS)
    def refund_by_split(self, stage: Stage, reference: str, parts: Sequence[str]) -> None:
        """Of whichever sellers, whatever was authorized."""
        event = split_refund(reference, parts)
        self._send(stage, dump(event | (TRACED if stage is Stage.RECONCILED else {})))

    @rule(reference=REFUNDS, amount=AMOUNTS)
    def trace_refund(self, reference: str, amount: str) -> None:
        """Of whatever amount, before or after it is confirmed."""
        event = psp_event("refund", reference, amount)
        self._send(Stage.RECONCILED, dump(event | TRACED))

    @rule(stage=STAGES, reference=SALES, amount=AMOUNTS)
    def sell(self, stage: Stage, reference: str, amount: str) -> None:
        """In one stage; the other may say more, less, or nothing."""
        event = psp_event("capture", reference, amount)
        self._send(stage, dump(event | (TRACED if stage is Stage.RECONCILED else {})))

    @rule(
        payout_id=PAYOUTS,
        amount=AMOUNTS,
        minimum=st.sampled_from([None, "0.10", "3.00"]),
        said=st.sampled_from(ASKED),
    )
    def request_payout(
        self, payout_id: str, amount: str, minimum: str | None, said: dict[str, str] = ASKED[0]
    ) -> None:
        event = DIRECT | {"payout_id": payout_id, "amount": amount, "currency": "EUR"}
        event |= said | ({"minimum_amount": minimum} if minimum else {})
        self._send(Stage.PAYOUT, dump(dict(event)))

    @rule(payout_id=PAYOUTS, amount=AMOUNTS, return_id=RETURNS)
    def return_payout(self, payout_id: str, amount: str, return_id: str | None) -> None:
        event = DIRECT | {"type": "return", "payout_id": payout_id, "amount": amount}
        event |= {"return_id": return_id} if return_id else {}
        event |= {"currency": "EUR", "returned_at": DATE, "bank_reference": "bank-2"}
        self._send(Stage.PAYOUT, dump(dict(event)))

    @rule(number=st.integers(1, 3), amount=AMOUNTS, direction=st.sampled_from(["credit", "debit"]))
    def adjust(self, number: int, amount: str, direction: str) -> None:
        event = DIRECT | {"adjustment_id": f"adj-{number}", "direction": direction}
        event |= {"amount": amount, "currency": "EUR", "adjusted_at": DATE}
        event |= {
            "reason_code": "double_booking",
            "reason": "counted twice",
            "requested_by": "ops",
        }
        self._send(Stage.ADJUSTMENT, dump(dict(event)))

    @rule(reference=REFUNDS, amount=AMOUNTS, seconds=st.integers(1, 300), schedule=SCHEDULE)
    def authorize(self, reference: str, amount: str, seconds: int, schedule: list[Any]) -> None:
        self._authorize(psp_event("refund", reference, amount), seconds, 1, schedule)

    @rule(
        reference=REFUNDS,
        parts=PARTS,
        seconds=st.integers(1, 300),
        attempt=st.integers(1, 3),
        schedule=SCHEDULE,
    )
    def authorize_by_split(
        self,
        reference: str,
        parts: Sequence[str],
        seconds: int,
        attempt: int,
        schedule: list[Any],
    ) -> None:
        self._authorize(split_refund(reference, parts), seconds, attempt, schedule)

    def _authorize(
        self, event: dict[str, object], seconds: int, attempt: int, schedule: list[Any]
    ) -> None:
        left_out = {"schema_version", "type", "operation_date"}
        said = {name: value for name, value in event.items() if name not in left_out}
        asked = RefundAuthorizationRequestV1.validated(
            said | {"expires_in_seconds": seconds, "attempt": attempt}
        )
        now = self.pipeline.now
        refund = asked.to_operation(now)
        split_up = split(refund, self.pipeline.directory.contexts)
        authorization = Authorization(
            falcon_operation_id=split_up.falcon_operation_id,
            attempt=attempt,
            merchant_id=split_up.named_merchant_id,
            asked=asked.asked(refund),
            currency="EUR",
            amount=refund.amount.minor,
            requested_by="tester",
            created_at=now,
            expiry=asked.expiry(now),
            sale=None if split_up.sale is None else split_up.sale.sale,
        )
        debits = debits_of(split_up.segments)

        def work() -> None:
            with suppress(AuthorizationConflictError):
                request_authorization(
                    authorization,
                    debits,
                    self.pipeline.store,
                    self.pipeline.refunds,
                    dict.fromkeys(self._asked_of_the_log, self._ask_the_log),
                    _no_wait,
                )

        self._start("authorize", work, schedule)

    @rule(key=KEYS, amount=AMOUNTS, schedule=SCHEDULE)
    def block(self, key: str, amount: str, schedule: list[Any]) -> None:
        asked = BlockRequestV1(
            balance_shop_id="bs-ann", reference="by-hand", amount=amount, currency="EUR"
        )
        block = asked.to_block("m-ann", key, "tester", self.pipeline.now)
        read_log = self._ask_the_log if self.is_high_risk else None
        store = self.pipeline.store
        self._start("block", lambda: request_block(block, store, read_log, _no_wait), schedule)

    @property
    def _asked_of_the_log(self) -> Sequence[str]:
        return ("m-ann", "m-bob") if self.is_high_risk else ()

    def _ask_the_log(self, block: Block) -> LoggedMoney | None:
        at = self.pipeline.places
        return LogCheck(at.store, at.log, at.reads_of, lambda: 0.0).logged_money(block)

    @rule(block_id=st.sampled_from([manual_block_id("m-ann", k) for k in ("k1", "k2")]), s=SCHEDULE)
    def release_block(self, block_id: str, s: list[Any]) -> None:
        self._start("release", lambda: self._release(block_id), s)

    @rule(position=st.integers(0, 9), s=SCHEDULE)
    def release_any(self, position: int, s: list[Any]) -> None:
        ids = sorted(block.block_id for block in self.spending.blocks().values())
        if ids:
            self._start("release", lambda: self._release(ids[position % len(ids)]), s)

    def _release(self, block_id: str) -> None:
        store, key = self.pipeline.store, ItemKey(merchant_pk("m-ann"), BlockKey(block_id).sk)
        found = store.blocks([key]).get(key)
        if found is None:
            return
        if found.operation_id is not None and found.attempt is not None:
            held = find_authorization(AttemptKey(found.operation_id, found.attempt).item, store)
            if held is not None:
                end = BlockStatus.RELEASED
                end_authorization(held, end, self.pipeline.now, "tester", store, wait=_no_wait)
            return
        release(found, "tester", self.pipeline.now, store, _no_wait)

    @rule(seconds=st.integers(1, 200), schedule=SCHEDULE)
    def expire(self, seconds: int, schedule: list[Any]) -> None:
        self.pipeline.tick(seconds=seconds)
        now = self.pipeline.now
        self._start("expirer", lambda: expire_blocks(now, self.pipeline.store), schedule)

    @rule(payout_id=PAYOUTS, schedule=SCHEDULE)
    def give_up(self, payout_id: str, schedule: list[Any]) -> None:
        self._start(
            "give up", lambda: self._give_up(payout_operation_id("m-ann", payout_id)), schedule
        )

    def _give_up(self, operation_id: str) -> None:
        key = ItemKey(merchant_pk("m-ann"), BlockKey(operation_id).sk)
        block = self.pipeline.store.blocks([key]).get(key)
        if block is not None:
            writes = giving_up(block, self.pipeline.now, "tester")
            self.pipeline.payouts.move(operation_id, *GIVE_UP, writes)

    @rule(stage=st.sampled_from(Stage), batch_size=st.integers(1, 4), schedule=SCHEDULE)
    def dispatch(self, stage: Stage, batch_size: int, schedule: list[Any]) -> None:
        if self.pipeline.queues[stage].waiting:
            self.actors.append(Actor("dispatcher", self.pipeline.dispatcher(stage, batch_size)))
        self._go_on(schedule)

    @rule(shard=st.integers(0, 1), batch_size=st.integers(1, 6), schedule=SCHEDULE)
    def reduce(self, shard: int, batch_size: int, schedule: list[Any]) -> None:
        work = self.pipeline.reducer(list(self.pipeline.stream.by_id)[shard], batch_size)
        if work is not None:
            self.actors.append(Actor("reducer", work))
        self._go_on(schedule)

    @rule(stage=st.sampled_from(Stage), position=st.integers(0, 3))
    def deliver_again(self, stage: Stage, position: int) -> None:
        self.pipeline.deliver_again(stage, position)

    def teardown(self) -> None:
        super().teardown()
        self.spending.check_all_ended()


def _no_wait(_delay_s: float) -> None:
    pass


TestSpending = SpendingMachine.TestCase
TestSpending.settings = in_depth(steps=50)
