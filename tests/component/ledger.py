"""Money counted on the in-memory fakes, quarter by quarter, and both APIs reading it there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import pytest

from falcon_balances.adapters.ports import LogObject
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.direct_operations import parse_direct_document
from falcon_balances.domain.direct_operations import DirectOperation, PayoutRequest
from falcon_balances.domain.identity import payout_operation_id
from falcon_balances.domain.instants import quarter_of, rfc3339
from falcon_balances.domain.merchant_context import MerchantContext
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import withdrawal_of
from falcon_balances.domain.splitting import SplitEvent, direct_segment
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.journal import MemoryJournal
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from falcon_balances.fakes.storage import (
    MemoryAuthorizations,
    MemoryEventClaims,
    MemoryMerchantDirectory,
    MemoryQuarantine,
    MemoryRefundClaims,
    MemoryTransactionLog,
)
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.api_routes.context import Sources
from lambdas.balance_api import handler as balance_api
from lambdas.persister.linking import links_of
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from lambdas.systems_api import adapters as systems_adapters
from lambdas.systems_api import handler as systems
from tests.builders import RECEIVED_AT, Document, claim_of, cut_of, data_of, records_of
from tests.component.api_calls import MERCHANT, get
from tests.component.lambda_events import SHARD
from tests.component.world import CURSOR_SEAL, ENVIRONMENT, utc

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
QUARTER: Final = timedelta(minutes=15)


def _no_wait(_seconds: float) -> None:
    """Nobody waits in a test."""


def payout(**changes: Any) -> Document:
    """40.00 EUR paid out of the balance of 5553."""
    return _direct({"payout_id": "payout-1", "requested_at": "2026-11-20T10:15:00Z"} | changes)


def payout_return(**changes: Any) -> Document:
    said = {"type": "return", "payout_id": "payout-1", "bank_reference": "bank-9"}
    return _direct(said | {"returned_at": "2026-11-20T11:00:00Z"} | changes)


def adjustment(**changes: Any) -> Document:
    said = {"adjustment_id": "adjustment-1", "direction": "credit", "reason": "goodwill"}
    dated = {"adjusted_at": "2026-11-20T10:30:00Z", "requested_by": "anna"} | {
        "reason_code": "goodwill"
    }
    return _direct(said | dated | changes)


def _direct(said: Document) -> Document:
    named = {"schema_version": "1", "merchant_id": MERCHANT, "balance_shop_id": "bs-5553-eur"}
    return named | {"amount": "40.00", "currency": "EUR"} | said


def any_claim_of(document: Document, *contexts: MerchantContext) -> ClaimV1:
    """As `claim_of`, of every kind of event: payouts, returns and adjustments too."""
    if "psp_id" in document:
        return claim_of(document, *contexts)
    stage = Stage.ADJUSTMENT if "adjustment_id" in document else Stage.PAYOUT
    operation = parse_direct_document(document, stage)
    state = PayoutState.PAID if isinstance(operation, PayoutRequest) else None
    return ClaimV1.of(operation, RECEIVED_AT, split_direct_event(operation), state)


def split_direct_event(operation: DirectOperation) -> SplitEvent:
    if isinstance(operation, PayoutRequest):
        return withdrawal_of(operation, operation.amount.minor)
    segment = direct_segment(operation, operation.movement)
    return SplitEvent(segment.falcon_operation_id, (segment,), ())


def id_of(document: Document, *contexts: MerchantContext) -> str:
    return any_claim_of(document, *contexts).falcon_operation_id


@dataclass
class Ledger:
    """The path from the claim to the table, with a clock that only `at` moves."""

    contexts: Sequence[MerchantContext] = ()
    now: datetime = field(default_factory=lambda: utc("2026-11-20T10:15:00"))
    log_objects_max: int = 1_000

    def __post_init__(self) -> None:
        self.store = MemoryBalanceStore()
        self.claims = MemoryEventClaims()
        self.log = MemoryTransactionLog()
        self.stream = MemoryBalanceStream(lambda: self.now, shard_count=1)
        self.directory = MemoryMerchantDirectory()
        self.quarantine = MemoryQuarantine()
        self.journal = MemoryJournal()
        self.reader: type[MemoryMerchantReads] = MemoryMerchantReads
        self.batches: list[tuple[datetime, tuple[bytes, ...]]] = []

    def count(self, *documents: Document) -> None:
        """Claimed, logged, and counted as if they had reached the stream now, in one batch."""
        records = []
        for document in documents:
            claim = any_claim_of(document, *self.contexts)
            self.claims.claim(claim)
            self._come_back(document, claim)
            for segment in claim.segments:
                self.log.append(
                    segment.log_key,
                    LogObject(claim.body_of(segment).encode(), claim.log_metadata(segment)),
                )
            records += self.linked(claim)
        self.reduce(*records)

    def linked(self, claim: ClaimV1) -> list[bytes]:
        """As they lie on the stream, with what the persister found beside the claim."""
        links = links_of(claim, self.claims, MemoryAuthorizations(self.store))
        return [data_of(record) for record in records_of(claim, links)]

    def _come_back(self, document: Document, claim: ClaimV1) -> None:
        """As a return's transaction does it."""
        if document.get("type") != "return":
            return
        key = (payout_operation_id(document["merchant_id"], document["payout_id"]), "payout")
        payout = self.claims.claims.get(key)
        if payout is not None:
            returns = dict.fromkeys((*payout.returned_by, claim.falcon_operation_id))
            grown = payout.model_copy(update={"returned_by": tuple(returns)})
            self.claims.claims[key] = grown

    def reduce(self, *records: bytes) -> None:
        self.batches.append((self.now, records))
        world = ReducerPorts(
            self.store, self.stream, self.quarantine, self.journal, _no_wait, lambda: self.now
        )
        reduce_batch(SHARD, [StreamRecord(data, self.now) for data in records], world)
        assert self.quarantine.bodies == {}

    def cut(self) -> None:
        """Taken now, and met at once."""
        self.reduce(data_of(cut_of(rfc3339(self.now), SHARD)))

    def close(self) -> datetime:
        """Ten seconds into the next quarter a cut closes this one; its end."""
        border = quarter_of(self.now) + QUARTER
        self.now = border + 10 * SECOND
        self.cut()
        return border

    def at(self, text: str) -> "Ledger":
        self.now = utc(text)
        return self

    def sources(self, merchant_id: str) -> Sources:
        reads = self.reader(self.store, self.claims, merchant_id)
        return Sources(reads, self.log, self.log_objects_max, CURSOR_SEAL)

    def serve(self, patch: pytest.MonkeyPatch) -> None:
        """Both APIs read here from now on. Who asks is still looked at where it always is."""
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(balance_api, "sources", self.sources)
        patch.setattr(
            systems_adapters,
            "merchant_reads",
            lambda merchant_id: self.reader(self.store, self.claims, merchant_id),
        )
        patch.setattr(systems_adapters, "store", cache(lambda: self.store))
        refunds = MemoryRefundClaims(self.claims, self.store)
        patch.setattr(systems_adapters, "refund_claims", cache(lambda: refunds))
        patch.setattr(systems_adapters, "log", cache(lambda: self.log))
        patch.setattr(systems_adapters, "directory", cache(lambda: self.directory))
        for routes in (balance_api.routes, systems.routes):
            patch.setattr(routes, "now", lambda: self.now)


FIGURES: Final = (
    "confirmed",
    "reconciled",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
    "withdrawn",
    "adjusted",
)


def live_figures(merchant_id: str = MERCHANT) -> dict[tuple[str, str], dict[str, Any]]:
    """What `/balances` says now, in the words of the past: nothing set aside taken off."""
    return {
        (each["balance_shop_id"], each["currency"]): {
            **{name: each[name] for name in FIGURES},
            "available_before_blocks": plus(each["available"], each["blocked"]),
            "operations_count": each["operations_count"],
        }
        for each in get("/balances", merchant_id=merchant_id).body["balances"]
    }


def figures_at(instant: datetime, merchant_id: str = MERCHANT) -> dict[tuple[str, str], Any]:
    """Of the balances in which something had been counted by then."""
    body = get("/balances", {"at": rfc3339(instant)}, merchant_id=merchant_id).body
    return {
        (each.pop("balance_shop_id"), each.pop("currency")): each
        for each in body["balances"]
        if each["operations_count"]
    }


def plus(*amounts: str) -> str:
    """At the scale of the first."""
    decimals = len(amounts[0].partition(".")[2])
    total = sum(minor(each) for each in amounts)
    whole, fraction = divmod(abs(total), 10**decimals)
    sign = "-" if total < 0 else ""
    return f"{sign}{whole}.{fraction:0{decimals}d}" if decimals else f"{sign}{whole}"


def minor(amount: str) -> int:
    return int(amount.replace(".", ""))
