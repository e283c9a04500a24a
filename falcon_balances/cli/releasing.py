"""Sends messages from quarantine again, each with the later revisions that wait for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from falcon_balances.adapters import event_topic
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.quarantine import QuarantineReader
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.target import STAGES, Target
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.decoding import decode
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.identity import falcon_operation_id
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import PspOperation, Stage

# At most so many later refusals are searched for waiting revisions; each costs a request.
LOOKED_AT_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Refused:
    """A message in quarantine; `operation` is None if it cannot be read."""

    key: str
    stage: str
    body: bytes
    code: str
    operation: PspOperation | None

    @property
    def revision_of(self) -> str | None:
        return None if self.operation is None else falcon_operation_id(self.operation)

    @property
    def received_on(self) -> date:
        return date.fromisoformat(self.key.split("/")[1].removeprefix("date="))


def find_refused(target: Target, key: str) -> Refused:
    """The message under a key. Raises InvalidInputError for a key that is not in a stage's
    quarantine.
    """
    stage = key.partition("/")[0]
    if stage not in STAGES:
        raise InvalidInputError(
            f"{key}: only messages of a stage can be sent again, not stream records"
        )
    found = _quarantine(target).read(key)
    if found is None:
        raise InvalidInputError(f"{key}: unknown key: no refused message has it")
    body, said = found
    return Refused(key, stage, body, said["code"], _operation(body, stage))


def _quarantine(target: Target) -> QuarantineReader:
    return QuarantineReader(target.client("s3"), target.quarantine_bucket)


def _operation(body: bytes, stage: str) -> PspOperation | None:
    try:
        operation = parse_document(decode(body), Stage(stage))
    except RejectedOperation:
        return None
    return operation if isinstance(operation, PspOperation) else None


def behind(target: Target, first: Refused) -> list[Refused]:
    """The later revisions of the same operation that wait in quarantine, in order.

    Only messages that were refused after `first` are searched. Raises InvalidInputError if there
    are too many of them: then a person must name the keys.
    """
    if first.operation is None:
        return []
    waiting = {
        each.operation.revision: each
        for each in _waiting_since(target, first)
        if each.operation is not None and each.revision_of == first.revision_of
    }
    found = []
    revision = first.operation.revision + 1
    while revision in waiting:
        found.append(waiting[revision])
        revision += 1
    return found


def _waiting_since(target: Target, first: Refused) -> Iterator[Refused]:
    quarantine = _quarantine(target)
    for looked_at, key in enumerate(_keys_since(target, first), start=1):
        if looked_at > LOOKED_AT_MAX:
            raise InvalidInputError(
                f"more than {LOOKED_AT_MAX} messages were refused after {first.key}:"
                " name every key to release"
            )
        if quarantine.said_of(key)["code"] == RejectionCode.REVISION:
            yield find_refused(target, key)


def _keys_since(target: Target, first: Refused) -> Iterator[str]:
    day = first.received_on
    while day <= utc_now().date() + timedelta(days=1):
        yield from _quarantine(target).keys(f"{first.stage}/date={day}/")
        day += timedelta(days=1)


def skip_missing(target: Target, refused: Refused, by: str) -> list[int]:
    """Claims the missing revisions before this one as empty. Returns their numbers.

    Raises InvalidInputError if the message is not a revision, or if a missing revision arrived
    meanwhile.
    """
    operation = refused.operation
    if operation is None or operation.revision == 1:
        raise InvalidInputError(f"{refused.key}: not a revision")
    now = rfc3339(utc_now())
    asked = ClaimV1.of(operation, now)
    claims = DynamoEventClaims(target.client("dynamodb"), target.claims_table)
    of_operation = claims.of_operation(asked.falcon_operation_id)
    of_stage = (claim for claim in of_operation if claim.stage is asked.stage)
    known = sorted(of_stage, key=lambda claim: claim.revision)
    before = known[-1] if known else None
    skipped = []
    for number in range(len(known) + 1, operation.revision):
        empty = ClaimV1.skipping(before, asked, by, now)
        if claims.claim(empty) is not None:
            raise InvalidInputError(
                f"revision {number} arrived meanwhile: release the message again"
            )
        before = empty
        skipped.append(number)
    return skipped


def send_again(target: Target, refused: Sequence[Refused]) -> None:
    """Sends the messages one by one: a revision must not arrive before the one that it revises."""
    for each in refused:
        try:
            text = each.body.decode()
        except UnicodeDecodeError:
            raise InvalidInputError(f"{each.key}: not UTF-8, which SNS requires") from None
        topic = target.topic(each.stage)
        event_topic.publish(target.client("sns"), topic, [text], lambda _count: None)
