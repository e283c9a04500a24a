"""Splitter: says what each event means, by the contexts in force when it happened.

Input     valid messages of one stage, from the dispatcher
Output    per message the claim it would make, or why it is refused, for the persister
Retries   safe: pure but for reading contexts; the same event and contexts give the same lines
Errors    TransientError (the message comes back); an event that is no event fails the chunk
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.adapters.ports import ContextReader
from falcon_balances.contracts.claims import ClaimV1, Rejection
from falcon_balances.contracts.execution import PersisterInput, SplitMessage, SplitterInput
from falcon_balances.contracts.psp_operations import parse_psp_document
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.splitting import context_keys, split
from falcon_balances.settings import SplitterSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def split_messages(step: SplitterInput, directory: ContextReader) -> PersisterInput:
    operations = [parse_psp_document(message.event, step.stage) for message in step.messages]
    named = {key for operation in operations for key in context_keys(operation)}
    histories = directory.histories(sorted(named))
    split_up = []
    for message, operation in zip(step.messages, operations, strict=True):
        rejection = None
        try:
            claim = ClaimV1.of(operation, message.received_at, split(operation, histories))
        except RejectedOperation as rejected:
            rejection = Rejection.of(rejected)
            claim = ClaimV1.of(operation, message.received_at)
        split_up.append(
            SplitMessage(message_id=message.message_id, claim=claim, rejection=rejection)
        )
    return PersisterInput(messages=tuple(split_up))


@cache
def _directory() -> ContextReader:
    settings = SplitterSettings.load()
    return CachedMerchantDirectory(
        DynamoMerchantDirectory(client("dynamodb"), settings.context_table)
    )


def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    step = SplitterInput.model_validate(event)
    return split_messages(step, _directory()).model_dump(mode="json")
