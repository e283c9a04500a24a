"""The steps of a payout on the in-memory fakes, that can stop or meet others at every call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from falcon_balances.adapters.ports import WriteOutcome
from falcon_balances.contracts.execution import MessageResult, SplitterInput, ValidMessage
from falcon_balances.contracts.payouts import PayoutLoggerInput, PayoutOutcomeV1
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.blocks import Block, BlockStatus, LoggedMoney
from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.identity import event_document, payout_operation_id
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import GIVE_UP
from falcon_balances.domain.payouts import giving_up, payout_block
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.interruptions import never
from falcon_balances.fakes.journal import MemoryJournal
from falcon_balances.fakes.storage import (
    MemoryEventClaims,
    MemoryMerchantDirectory,
    MemoryOutcomeTopic,
    MemoryPayoutClaims,
    MemoryQuarantine,
    MemoryTransactionLog,
)
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.payout_announcer.handler import announce_outcomes
from lambdas.payout_decider.handler import DeciderPorts, decide_payouts
from lambdas.payout_logger.handler import log_payouts
from lambdas.publisher.handler import publish
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from tests.builders import RECEIVED_AT, Document
from tests.component.conftest import no_wait
from tests.component.world import utc

NOW = utc("2026-11-20T10:20:00")
BALANCE = ItemKey("MERCHANT#m-1", "BALANCE#bs-1#EUR")
ID = payout_operation_id("m-1", "payout-1")
M = TypeVar("M", bound=BaseModel)


def request(**changes: Any) -> Document:
    """40.00 of the 100.00 EUR that m-1 has."""
    document = {
        "schema_version": "1",
        "payout_id": "payout-1",
        "merchant_id": "m-1",
        "balance_shop_id": "bs-1",
        "amount": "40.00",
        "currency": "EUR",
        "requested_at": "2026-11-20T10:15:00Z",
    } | changes
    return {name: value for name, value in document.items() if value is not None}


def returned(**changes: Any) -> Document:
    said = {"type": "return", "returned_at": "2026-11-21T10:00:00Z", "bank_reference": "bank-1"}
    return request(requested_at=None, **said | changes)


def parsed(document: Document) -> PayoutRequest:
    operation = parse_document(document, Stage.PAYOUT)
    assert isinstance(operation, PayoutRequest)
    return operation


def over_json(model: M) -> M:
    return type(model).model_validate_json(model.model_dump_json())


@dataclass
class Paying:
    """The steps of a payout on the fakes, with JSON between them, and what happens at each call."""

    happens: Callable[[str], object] = never
    passed: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    waiting: Callable[[], object] = lambda: None
    logged: list[LoggedMoney] = field(default_factory=list)
    """What the log is read to say of a merchant of high risk, one after the other."""

    read_log: Callable[[Block], LoggedMoney | None] = field(init=False)

    def __post_init__(self) -> None:
        self.read_log = lambda _block: self.logged.pop(0)
        self.store = MemoryBalanceStore()
        self.directory = MemoryMerchantDirectory(self._pass)
        self.claims = MemoryPayoutClaims(MemoryEventClaims(), self.store, self._pass)
        self.log = MemoryTransactionLog(self._pass)
        self.stream = MemoryBalanceStream(lambda: NOW, 1, self._pass)
        self.topic = MemoryOutcomeTopic(self._pass)
        shops = {("bs-1", "EUR"), ("bs-1", "JPY"), ("bs-2", "EUR")}
        self.directory.named = {name: Merchant(frozenset(shops)) for name in ("m-1", "m-2")}
        self.give(10000)

    def _pass(self, point: str) -> None:
        self.passed.append(point)
        self.happens(point)

    def clock(self) -> float:
        """Only waiting takes time."""
        return sum(self.waits)

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.waiting()

    def give(self, minor: int) -> None:
        self.store.apply([AddCounters(BALANCE, {"available": minor})])

    def decide(self, *documents: Document) -> PayoutLoggerInput:
        messages = [
            ValidMessage(
                message_id=f"message-{n}",
                received_at=RECEIVED_AT,
                event=event_document(parse_document(document, Stage.PAYOUT)),
            )
            for n, document in enumerate(documents)
        ]
        step = SplitterInput(stage=Stage.PAYOUT, messages=tuple(messages))
        world = DeciderPorts(self.claims, self.read_log, NOW, self._wait, self.clock)
        return over_json(decide_payouts(over_json(step), self.directory, world))

    def record(self, decided: PayoutLoggerInput) -> PayoutLoggerInput:
        """Into the log and on the stream; what is to be announced."""
        recorded = over_json(log_payouts(decided, self.claims, self.log))
        publish(recorded.publish, self.stream, self.claims, self.log, no_wait)
        return recorded.announce

    def announce(self, recorded: PayoutLoggerInput) -> tuple[MessageResult, ...]:
        return announce_outcomes(recorded, self.claims, self.topic).results

    def run(self, *documents: Document) -> list[PayoutOutcomeV1]:
        """All of it; what was announced by it."""
        before = len(self.topic.announced)
        self.announce(self.record(self.decide(*documents)))
        return self.topic.announced[before:]

    def refusal(self, document: Document) -> tuple[str, str]:
        """Code and reason of what must be rejected, announced so, and leave all as it was."""
        before = self.everything()
        [result] = self.announce(self.record(self.decide(document)))
        assert result.rejection is not None
        assert self.everything()[:-1] == before[:-1]
        outcome = self.topic.announced[-1]
        assert (outcome.outcome, outcome.amount) == ("rejected", None)
        assert (outcome.code, outcome.detail) == (result.rejection.code, result.rejection.reason)
        asked = (document["payout_id"], document["merchant_id"], document["balance_shop_id"])
        assert (outcome.payout_id, outcome.merchant_id, outcome.balance_shop_id) == asked
        return result.rejection.code.value, result.rejection.reason

    def everything(self) -> list[object]:
        held = [self.claims.claims, self.store.marks, self.store.counters, self.log.objects]
        records = next(iter(self.stream.by_id.values())).records
        return [*map(repr, held), len(records), len(self.topic.announced)]

    def give_up(self) -> list[WriteOutcome]:
        """As an operator would; the outcomes of the attempt, none if it succeeded."""
        writes = giving_up(payout_block(parsed(request()), 4000, NOW), NOW, "anna")
        return list(self.claims.move(ID, *GIVE_UP, writes))

    def count(self) -> dict[str, int]:
        """The reducer gets the whole stream; what the balance is then."""
        [(shard_id, shard)] = self.stream.by_id.items()
        quarantine, journal = MemoryQuarantine(), MemoryJournal()
        world = ReducerPorts(self.store, self.stream, quarantine, journal, wait=no_wait)
        reduce_batch(shard_id, [StreamRecord(each.data, NOW) for each in shard.records], world)
        named = ("available", "blocked", "withdrawn")
        return {name: self.store.counters[BALANCE].get(name, 0) for name in named}

    def state(self, payout_id: str = "payout-1") -> str | None:
        claim = self.claims.claims.get((payout_operation_id("m-1", payout_id), "payout"))
        return None if claim is None else claim.state

    def block_status(self) -> list[BlockStatus]:
        return [each.status for each in self.store.blocks_of("m-1")]


def paid_out() -> Paying:
    """40.00 of 100.00, not counted yet."""
    paying = Paying()
    [outcome] = paying.run(request())
    assert outcome.outcome == "accepted"
    return paying
