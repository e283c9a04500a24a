"""The functions of both state machines and the reducer, called as Lambda calls them."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from time import sleep
from typing import Any, Final

from pydantic import BaseModel

from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.contracts.execution import (
    ExecutionResult,
    PersisterInput,
    PublisherInput,
    SplitterInput,
)
from falcon_balances.contracts.payouts import PayoutLoggerInput
from inprocess.places import Places
from lambdas.payout_announcer.handler import announce_outcomes
from lambdas.payout_decider.handler import DeciderPorts, decide_payouts
from lambdas.payout_logger.handler import log_payouts
from lambdas.persister.handler import Run, persist
from lambdas.publisher.handler import publish
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from lambdas.splitter.handler import split_messages

OPERATION_STEPS: Final = ("Splitter", "Persister", "Publisher")


class Functions:
    """`run`: how the persister handles several messages. `wait`: how every function waits."""

    def __init__(
        self,
        places: Places,
        now: Callable[[], datetime],
        run: Run = map,
        wait: Callable[[float], object] = sleep,
    ) -> None:
        self.places = places
        self.now = now
        self.map = run
        self.wait = wait

    def invoke(self, name: str, document: str) -> str:
        """A function's output for the input `document`, both JSON. `name`: that of its state."""
        model, function = _FUNCTIONS[name]
        answer = function(self, model.model_validate(json.loads(document)))
        return json.dumps(answer.model_dump(mode="json"))

    def run(self, step: SplitterInput) -> ExecutionResult:
        """The port `Executions`: an operation's three steps, one after the other."""
        document = step.model_dump_json()
        for name in OPERATION_STEPS:
            document = self.invoke(name, document)
        return ExecutionResult.model_validate_json(document)

    def reduce(self, shard_id: str, records: Iterable[tuple[bytes, datetime]]) -> None:
        """One batch of the stream; each record with the time at which it arrived."""
        at = self.places
        world = ReducerPorts(
            at.store, at.stream, at.quarantine, at.journal, wait=self.wait, now=self.now
        )
        reduce_batch(shard_id, [StreamRecord(*each) for each in records], world)


def _split(on: Functions, step: SplitterInput) -> BaseModel:
    return split_messages(step, on.places.directory)


def _persist(on: Functions, step: PersisterInput) -> BaseModel:
    at = on.places
    return persist(step, at.claims, at.log, at.authorizations, on.now(), on.map)


def _publish(on: Functions, step: PublisherInput) -> BaseModel:
    return publish(step, on.places.stream, on.places.claims, on.places.log, wait=on.wait)


def _decide(on: Functions, step: SplitterInput) -> BaseModel:
    at = on.places
    check = LogCheck(at.store, at.log, at.reads_of)
    deciding = DeciderPorts(at.payouts, check.logged_money, on.now(), wait=on.wait)
    return decide_payouts(step, at.directory, deciding)


def _log_payouts(on: Functions, step: PayoutLoggerInput) -> BaseModel:
    return log_payouts(step, on.places.payouts, on.places.log)


def _announce(on: Functions, step: PayoutLoggerInput) -> BaseModel:
    return announce_outcomes(step, on.places.payouts, on.places.outcomes)


_FUNCTIONS: Final[Mapping[str, tuple[type[BaseModel], Callable[[Functions, Any], BaseModel]]]] = {
    "Splitter": (SplitterInput, _split),
    "Persister": (PersisterInput, _persist),
    "Publisher": (PublisherInput, _publish),
    "PayoutDecider": (SplitterInput, _decide),
    "PayoutLogger": (PayoutLoggerInput, _log_payouts),
    "PayoutAnnouncer": (PayoutLoggerInput, _announce),
}
