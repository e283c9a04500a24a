"""In-memory claims, log, contexts and quarantine: the behaviour of their AWS adapters."""

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from falcon_balances.adapters.ports import (
    ConditionFailed,
    LogObject,
    LogTooLargeError,
    WriteOutcome,
)
from falcon_balances.adapters.quarantine import quarantine_key
from falcon_balances.adapters.stage_ports import QuarantinedBody
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.contracts.payouts import PayoutOutcomeV1
from falcon_balances.domain.authorizations import Current
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_keys import DayRange, merchant_prefix
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, Merchant
from falcon_balances.domain.operations import PSP_STAGES, Segment, Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.table_keys import current_key
from falcon_balances.domain.table_writes import TableWrite
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.interruptions import Interrupt, Interruptible, interruptible, never


class MemoryEventClaims(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.claims: dict[tuple[str, str], ClaimV1] = {}

    @interruptible
    def claim(self, claim: ClaimV1) -> ClaimV1 | None:
        key = (claim.falcon_operation_id, claim.staged)
        existing = self.claims.get(key)
        if existing is None:
            self.claims[key] = claim
        return existing

    @interruptible
    def find(self, falcon_operation_id: str, staged: str) -> ClaimV1 | None:
        return self.claims.get((falcon_operation_id, staged))

    @interruptible
    def of_operation(self, falcon_operation_id: str) -> Sequence[ClaimV1]:
        return [claim for (each, _), claim in self.claims.items() if each == falcon_operation_id]


class MemoryPayoutClaims(MemoryEventClaims):
    """Shares its claims with those of the other stages, and its balances with the store."""

    def __init__(
        self, claims: MemoryEventClaims, store: MemoryBalanceStore, interrupt: Interrupt = never
    ) -> None:
        super().__init__(interrupt)
        self.claims = claims.claims
        self.store = store

    @interruptible
    def decide(
        self, claim: ClaimV1, writes: Sequence[TableWrite]
    ) -> ClaimV1 | Sequence[WriteOutcome] | None:
        key = (claim.falcon_operation_id, claim.staged)
        if key in self.claims:
            return self.claims[key]
        if outcomes := self.store.apply(writes):
            return outcomes
        self.claims[key] = claim
        return None

    @interruptible
    def claim_return(
        self, claim: ClaimV1, payout_operation_id: str, amount: int, paid: int
    ) -> ClaimV1 | WriteOutcome:
        key = (claim.falcon_operation_id, str(claim.stage))
        if key in self.claims:
            return self.claims[key]
        payout_key = (payout_operation_id, str(Stage.PAYOUT))
        payout = self.claims.get(payout_key)
        if payout is None or payout.state != PayoutState.PAID or payout.returned is None:
            return ConditionFailed({})
        if payout.returned > paid - amount:
            return ConditionFailed({})
        grown = {
            "returned": payout.returned + amount,
            "returned_by": (*payout.returned_by, claim.falcon_operation_id),
        }
        self.claims[payout_key] = payout.model_copy(update=grown)
        self.claims[key] = claim
        return None

    @interruptible
    def move(
        self, falcon_operation_id: str, source: str, target: str, writes: Sequence[TableWrite] = ()
    ) -> Sequence[WriteOutcome]:
        key = (falcon_operation_id, str(Stage.PAYOUT))
        claim = self.claims.get(key)
        state = None if claim is None else claim.state
        if claim is None or state != source:
            there: dict[str, str | int] = {} if state is None else {"state": state}
            return [
                ConditionFailed(there),
                *(self.store.outcomes_of(writes) or [None] * len(writes)),
            ]
        if outcomes := self.store.apply(writes):
            return [None, *outcomes]
        self.claims[key] = claim.model_copy(update={"state": target})
        return ()


class MemoryRefundClaims(Interruptible):
    """Shares its claims with those of the stages, and its balances with the store."""

    def __init__(
        self, claims: MemoryEventClaims, store: MemoryBalanceStore, interrupt: Interrupt = never
    ) -> None:
        super().__init__(interrupt)
        self.claims = claims.claims
        self.store = store

    @interruptible
    def authorize(
        self, falcon_operation_id: str, writes: Sequence[TableWrite]
    ) -> Sequence[WriteOutcome] | None:
        if any((falcon_operation_id, stage.value) in self.claims for stage in PSP_STAGES):
            return None
        return self.store.apply(writes)


class MemoryAuthorizations(Interruptible):
    def __init__(self, store: MemoryBalanceStore, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.store = store

    @interruptible
    def current(self, falcon_operation_id: str) -> Current:
        return Current.from_attributes(self.store.item(current_key(falcon_operation_id)))


class MemoryOutcomeTopic(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.announced: list[PayoutOutcomeV1] = []

    @interruptible
    def announce(self, outcome: PayoutOutcomeV1) -> None:
        self.announced.append(outcome)


class MemoryTransactionLog(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.objects: dict[str, LogObject] = {}

    @interruptible
    def append(self, key: str, logged: LogObject) -> str | None:
        if key in self.objects:
            return None
        version_id = sha256(key.encode()).hexdigest()[:32]  # as long as S3's
        self.objects[key] = LogObject(logged.body, dict(logged.metadata), version_id)
        return version_id

    @interruptible
    def read(self, key: str) -> LogObject:
        try:
            return self.objects[key]
        except KeyError:
            raise TransientError(f"read {key}: NoSuchKey") from None

    @interruptible
    def read_existing(self, keys: Collection[str]) -> Mapping[str, LogObject]:
        return {key: self.objects[key] for key in keys if key in self.objects}

    @interruptible
    def segments_of(
        self, merchant_id: str, objects_max: int | None = None, days: DayRange | None = None
    ) -> Sequence[Segment]:
        keys = [
            key
            for prefix in (merchant_prefix(stage, merchant_id) for stage in Stage)
            for key in self.objects
            if key.startswith(prefix) and (days is None or days.contain(key, prefix))
        ]
        if objects_max is not None and len(keys) > objects_max:
            raise LogTooLargeError(merchant_id, objects_max)
        return [read_strictly(key, self.objects[key].body) for key in keys]


class MemoryMerchantDirectory(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.contexts: dict[ContextKey, ContextHistory] = {}
        self.named: dict[str, Merchant] = {}

    @interruptible
    def histories(self, keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        return {key: self.contexts[key] for key in keys if key in self.contexts}

    @interruptible
    def merchants(self, merchant_ids: Collection[str]) -> Mapping[str, Merchant]:
        return {each: self.named[each] for each in merchant_ids if each in self.named}

    @interruptible
    def context_of(
        self, key: ContextKey, merchant_id: str
    ) -> tuple[ContextHistory, Merchant | None]:
        return self.contexts.get(key, ()), self.named.get(merchant_id)

    @interruptible
    def name_merchant(self, merchant_id: str, merchant: Merchant) -> None:
        known = self.named.get(merchant_id, Merchant())
        self.named[merchant_id] = Merchant(
            known.balances | merchant.balances, known.high_risk_keys | merchant.high_risk_keys
        )

    @interruptible
    def replace(self, key: ContextKey, seen: ContextHistory, history: ContextHistory) -> bool:
        if len(self.contexts.get(key, ())) != len(seen):
            return False
        self.contexts[key] = list(history)
        return True


class MemoryQuarantine(Interruptible):
    """`bodies` holds every refusal under its key, oldest first, as the bucket's versions do."""

    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.bodies: dict[str, list[QuarantinedBody]] = {}

    @interruptible
    def put(self, refused: QuarantinedBody) -> None:
        day = rfc3339(refused.received_at)[:10]
        key = quarantine_key(refused.source, refused.body, day)
        self.bodies.setdefault(key, []).append(refused)
