"""All that the functions read and write, in one object: AWS's adapters, or the in-memory fakes."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from falcon_balances.adapters.directory_ports import ContextReader
from falcon_balances.adapters.journal_ports import Journal
from falcon_balances.adapters.ports import (
    Authorizations,
    BalanceStore,
    BalanceStream,
    EventClaims,
    MerchantReads,
    OutcomeTopic,
    PayoutClaims,
    RefundClaims,
    TransactionLog,
)
from falcon_balances.adapters.stage_ports import Quarantine
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.interruptions import Interrupt, never
from falcon_balances.fakes.journal import MemoryJournal
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from falcon_balances.fakes.storage import (
    MemoryAuthorizations,
    MemoryEventClaims,
    MemoryMerchantDirectory,
    MemoryOutcomeTopic,
    MemoryPayoutClaims,
    MemoryQuarantine,
    MemoryRefundClaims,
    MemoryTransactionLog,
)
from falcon_balances.fakes.stream import MemoryBalanceStream


class Places(Protocol):
    @property
    def directory(self) -> ContextReader: ...
    @property
    def claims(self) -> EventClaims: ...
    @property
    def log(self) -> TransactionLog: ...
    @property
    def stream(self) -> BalanceStream: ...
    @property
    def store(self) -> BalanceStore: ...
    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def authorizations(self) -> Authorizations: ...
    @property
    def payouts(self) -> PayoutClaims: ...
    @property
    def refunds(self) -> RefundClaims: ...
    @property
    def outcomes(self) -> OutcomeTopic: ...
    def reads_of(self, merchant_id: str) -> MerchantReads: ...


class MemoryPlaces:
    """All fakes of one environment, which share their claims and balances as on AWS.

    `now` is the stream's clock. `interrupt` is called before and after every call.
    """

    def __init__(
        self, now: Callable[[], datetime], shard_count: int = 2, interrupt: Interrupt = never
    ) -> None:
        self.directory = MemoryMerchantDirectory(interrupt)
        self.claims = MemoryEventClaims(interrupt)
        self.log = MemoryTransactionLog(interrupt)
        self.stream = MemoryBalanceStream(now, shard_count, interrupt)
        self.store = MemoryBalanceStore(interrupt)
        self.quarantine = MemoryQuarantine(interrupt)
        self.journal = MemoryJournal(interrupt)
        self.authorizations = MemoryAuthorizations(self.store, interrupt)
        self.payouts = MemoryPayoutClaims(self.claims, self.store, interrupt)
        self.refunds = MemoryRefundClaims(self.claims, self.store, interrupt)
        self.outcomes = MemoryOutcomeTopic(interrupt)

    def reads_of(self, merchant_id: str) -> MerchantReads:
        return MemoryMerchantReads(self.store, self.claims, merchant_id)
