"""Splitter: calculates what each event means from the contexts in force when it happened.

Input     valid messages of one stage, from the dispatcher
Output    per message the claim it would make, or why it is refused, for the persister
Retries   safe: only reads contexts; the same event and contexts give the same lines
Errors    TransientError (the message comes back); an event that breaks the contract fails the chunk
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.directory_ports import ContextReader
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import PersisterInput, SplitMessage, SplitterInput
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.direct_operations import DirectOperation, StagedOperation
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, Merchant
from falcon_balances.domain.operations import PspOperation
from falcon_balances.domain.splitting import SplitEvent, context_keys, split, split_direct
from falcon_balances.settings import SplitterSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def split_messages(step: SplitterInput, directory: ContextReader) -> PersisterInput:
    operations = [parse_document(message.event, step.stage) for message in step.messages]
    contexts = _contexts(operations, directory)
    split_up = []
    for message, operation in zip(step.messages, operations, strict=True):
        rejection = None
        try:
            claim = ClaimV1.of(operation, message.received_at, _split(operation, contexts))
        except RejectedOperation as rejected:
            rejection = Rejection.of(rejected)
            claim = ClaimV1.of(operation, message.received_at)
        split_up.append(
            SplitMessage(message_id=message.message_id, claim=claim, rejection=rejection)
        )
    return PersisterInput(messages=tuple(split_up))


@dataclass(frozen=True, slots=True)
class Contexts:
    """The contexts and merchants that the operations of one execution need."""

    histories: Mapping[ContextKey, ContextHistory]
    merchants: Mapping[str, Merchant]


def _contexts(operations: Sequence[StagedOperation], directory: ContextReader) -> Contexts:
    keys = {
        key for each in operations if isinstance(each, PspOperation) for key in context_keys(each)
    }
    merchants = {each.merchant_id for each in operations if isinstance(each, DirectOperation)}
    return Contexts(
        directory.histories(sorted(keys)) if keys else {},
        directory.merchants(sorted(merchants)) if merchants else {},
    )


def _split(operation: StagedOperation, contexts: Contexts) -> SplitEvent:
    if isinstance(operation, DirectOperation):
        return split_direct(operation, contexts.merchants.get(operation.merchant_id))
    return split(operation, contexts.histories)


@cache
def _directory() -> ContextReader:
    settings = SplitterSettings.load()
    return CachedMerchantDirectory(
        DynamoMerchantDirectory(client("dynamodb"), settings.context_table)
    )


def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    step = SplitterInput.model_validate(event)
    return split_messages(step, _directory()).model_dump(mode="json")
