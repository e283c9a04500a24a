"""In-memory claims, log, contexts and quarantine: the behaviour of their AWS adapters."""

from collections.abc import Collection, Mapping

from falcon_balances.adapters.ports import LogObject, QuarantinedBody
from falcon_balances.adapters.quarantine import quarantine_key
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey
from falcon_balances.domain.operations import Stage
from falcon_balances.fakes.interruptions import Interrupt, Interruptible, interruptible, never


class MemoryEventClaims(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.claims: dict[tuple[str, str], ClaimV1] = {}

    @interruptible
    def claim(self, claim: ClaimV1) -> ClaimV1 | None:
        key = (claim.falcon_operation_id, str(claim.stage))
        existing = self.claims.get(key)
        if existing is None:
            self.claims[key] = claim
        return existing

    @interruptible
    def find(self, falcon_operation_id: str, stage: Stage) -> ClaimV1 | None:
        return self.claims.get((falcon_operation_id, str(stage)))


class MemoryTransactionLog(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.objects: dict[str, LogObject] = {}

    @interruptible
    def append(self, key: str, logged: LogObject) -> bool:
        if key in self.objects:
            return False
        self.objects[key] = LogObject(logged.body, dict(logged.metadata))
        return True

    @interruptible
    def read(self, key: str) -> LogObject:
        try:
            return self.objects[key]
        except KeyError:
            raise TransientError(f"read {key}: NoSuchKey") from None


class MemoryMerchantDirectory(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.contexts: dict[ContextKey, ContextHistory] = {}

    @interruptible
    def histories(self, keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        return {key: self.contexts[key] for key in keys if key in self.contexts}

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
