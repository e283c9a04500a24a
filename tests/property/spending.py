"""What must hold of blocks and payouts at every moment, and once all is quiet (design §10.9)."""

from collections.abc import Mapping

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.blocks import Block, BlockStatus, Purpose
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.errors import RejectionCode
from falcon_balances.domain.identity import falcon_operation_id, fingerprint
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import Outcome, outcome_id, rejection_id
from falcon_balances.domain.table_keys import ItemKey, merchant_pk
from tests.property.promises import Promises

_ENDED_AS = {
    PayoutState.PAID: (Outcome.ACCEPTED, BlockStatus.SETTLED),
    PayoutState.GIVEN_UP: (Outcome.GIVEN_UP, BlockStatus.RELEASED),
    PayoutState.REFUSED: (Outcome.REFUSED, None),
}
_MOVES_MONEY = {
    "after MemoryBalanceStore.transact",
    "after MemoryPayoutClaims.decide",
    "after MemoryPayoutClaims.move",
    "after MemoryRefundClaims.authorize",
}


class SpendingPromises(Promises):
    def __init__(self) -> None:
        super().__init__()
        self._blocks: dict[ItemKey, Block] = {}
        self._set_aside: dict[ItemKey, int] = {}

    def observe(self, point: str) -> None:
        super().observe(point)
        if point in _MOVES_MONEY:
            self._blocks_are_covered_and_end_once()
            self._no_more_is_set_aside_than_is_left_of_a_sale()
        elif point == "after MemoryOutcomeTopic.announce":
            self._outcome_is_true()

    def blocks(self) -> dict[ItemKey, Block]:
        marks = self._world.store.marks
        return {
            key: Block.from_attributes(key, said)
            for key, said in marks.items()
            if key.sk.startswith("BLOCK#")
        }

    def _blocks_are_covered_and_end_once(self) -> None:
        now = self.blocks()
        set_aside: dict[ItemKey, int] = {}
        for key, block in now.items():
            before = self._blocks.get(key)
            if before is None and block.status is BlockStatus.ACTIVE:
                available = self._world.store.counters[block.balance_key]["available"]
                assert available >= 0, "a block took available below zero"
            if before is not None and before.status is not BlockStatus.ACTIVE:
                assert block == before, "a block that had ended changed"
            self._check_end(block)
            if block.status is BlockStatus.ACTIVE:
                set_aside[block.balance_key] = set_aside.get(block.balance_key, 0) + block.amount
        for key, counters in self._world.store.counters.items():
            if key.sk.startswith("BALANCE#"):
                assert counters.get("blocked", 0) == set_aside.get(key, 0), "set aside for nothing"
        self._blocks = now

    def _no_more_is_set_aside_than_is_left_of_a_sale(self) -> None:
        """When it is set aside; a fact that comes later may take more."""
        for key, said in self._world.store.counters.items():
            if key.sk.startswith("SALE#"):
                now = said.get("EUR_set_aside", 0)
                if now > self._set_aside.get(key, 0) and said.get("captures", 0) > 0:
                    assert said["EUR_left"] >= 0, "authorized above what is left of the sale"
                self._set_aside[key] = now

    def _check_end(self, block: Block) -> None:
        if block.status is BlockStatus.EXPIRED:
            assert block.expiry is not None
            assert block.expiry <= self._world.now, "expired before its time"
        if block.status is BlockStatus.SETTLED:
            assert self._is_spent(block), "settled by nothing"

    def _is_spent(self, block: Block) -> bool:
        """Whichever stage of a refund comes first, and whomever it debits."""
        if block.purpose is Purpose.PAYOUT:
            mark = MarkKey(block.block_id, Stage.PAYOUT).sk
            return ItemKey(merchant_pk(block.merchant_id), mark) in self._world.store.marks
        begins = f"OPERATION#{block.operation_id}#"
        return any(key.sk.startswith(begins) for key in self._world.store.marks)

    def _outcome_is_true(self) -> None:
        outcome = self._world.outcomes.announced[-1]
        if outcome.outcome is Outcome.REJECTED:
            return  # of a conflict the first may be logged
        is_logged = any(outcome.falcon_operation_id in key for key in self._log)
        moved = outcome.outcome in (Outcome.ACCEPTED, Outcome.RETURNED)
        assert is_logged == moved, f"{outcome.outcome} is not what the log says"

    def check_all_ended(self) -> None:
        """Every payout paid, given up or refused, and announced so; no block left over."""
        self._check_every_request_is_answered()
        for (operation_id, _), claim in self._world.claims.claims.items():
            if claim.state is not None:
                self._check_payout(operation_id, claim)
        for said in self._world.store.marks.items():
            self._check_authorization(*said)
        for block in self.blocks().values():
            if block.status is BlockStatus.ACTIVE:
                assert block.purpose is not Purpose.PAYOUT, "a payout's block is left over"
                assert not self._is_spent(block), "a refund's block is left over"

    def _check_authorization(self, key: ItemKey, said: Mapping[str, str | int]) -> None:
        """Once its refund is counted nothing of it is held, of the balances or of the sale."""
        if key.sk.startswith("ATTEMPT#") and said["status"] == BlockStatus.ACTIVE:
            operation_id = key.pk.removeprefix("REFUND#")
            marks = (key.sk for key in self._world.store.marks)
            is_counted = any(sk.startswith(f"OPERATION#{operation_id}#") for sk in marks)
            assert not is_counted, "an authorization is left over"

    def _check_every_request_is_answered(self) -> None:
        """Also those that were rejected, and returns: who asked must not wait for ever."""
        said = {each.outcome_id for each in self._world.outcomes.announced}
        for stage, body in self.sent:
            operation = self._parsed(stage, body) if stage is Stage.PAYOUT else None
            if operation is not None:
                operation_id, content = falcon_operation_id(operation), fingerprint(operation)
                claim = self._world.claims.claims.get((operation_id, "payout"))
                is_decided = claim is not None and claim.fingerprint == content
                ids = {outcome_id(operation_id, outcome) for outcome in Outcome}
                if not is_decided:
                    ids = {rejection_id(operation_id, code, content) for code in RejectionCode}
                assert ids & said, "an outcome was not announced"

    def _check_payout(self, operation_id: str, claim: ClaimV1) -> None:
        assert claim.state in _ENDED_AS, f"a payout is left {claim.state}"
        outcome, block_status = _ENDED_AS[PayoutState(claim.state)]
        announced = [
            each
            for each in self._world.outcomes.announced
            if each.falcon_operation_id == operation_id and each.outcome is not Outcome.REJECTED
        ]
        assert {each.outcome for each in announced} == {outcome}, "announced as something else"
        assert len({each.outcome_id for each in announced}) == 1
        back = [self._world.claims.claims[each, "payout"] for each in claim.returned_by]
        amounts = [line.amount.minor for each in back for line in each.lines_of(each.segments[0])]
        assert (claim.returned or 0) == sum(amounts), "what came back is added up wrongly"
        if amounts:
            (withdrawal,) = claim.lines_of(claim.segments[0])
            assert sum(amounts) <= -withdrawal.amount.minor, "more came back than was paid"
        blocks = [block for block in self.blocks().values() if block.block_id == operation_id]
        assert [block.status for block in blocks] == ([block_status] if block_status else [])
