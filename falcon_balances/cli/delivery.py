"""Follows sent messages until they are counted or in quarantine, or time is up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from time import monotonic, sleep
from typing import Any

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.deliveries import DynamoDeliveries
from falcon_balances.adapters.event_topic import MESSAGE_BYTES_MAX
from falcon_balances.adapters.quarantine import QuarantineReader
from falcon_balances.adapters.queues import messages_in
from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.files import FileLine
from falcon_balances.cli.stages import StageName
from falcon_balances.cli.target import LOCAL, Target
from falcon_balances.contracts.decoding import decode
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.identity import falcon_operation_id, fingerprint
from falcon_balances.domain.operations import PspOperation, Stage, staged
from falcon_balances.domain.payout_states import DECIDED_AGAINST, UNDER_WAY
from falcon_balances.domain.table_keys import ItemKey, merchant_pk

_POLL_S = 0.3
_EMPTY_LOOKS = 10


def texts_of(lines: Sequence[FileLine]) -> list[str]:
    """The lines as text for SNS. Raises InvalidInputError, with the number of the first wrong line,
    if one is not UTF-8 or larger than 256 KiB.
    """
    texts = []
    for line in lines:
        if len(line.raw) > MESSAGE_BYTES_MAX:
            raise InvalidInputError(
                f"line {line.number}: larger than 256 KiB, the maximum of SNS; nothing was sent"
            )
        try:
            texts.append(line.raw.decode())
        except UnicodeDecodeError:
            raise InvalidInputError(
                f"line {line.number}: not UTF-8, which SNS requires; nothing was sent"
            ) from None
    return texts


@dataclass(slots=True)
class Awaited:
    """A sent line. `operation_id` is None if the line cannot be read as an event."""

    line: int
    digest: str
    operation_id: str | None = None
    staged: str | None = None
    fingerprint: str | None = None
    is_counted: bool = False
    is_decided_against: bool = False
    refusal: Mapping[str, str] | None = None

    @property
    def is_settled(self) -> bool:
        return self.is_counted or self.is_decided_against or self.refusal is not None


@dataclass(slots=True)
class Delivery:
    """Follows sent messages. Create it before sending: it notes what is in quarantine already."""

    target: Target
    stage: StageName
    lines: Sequence[FileLine]
    awaited: list[Awaited] = field(init=False)
    _refused_before: set[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.awaited = [_awaited(line, self.stage) for line in self.lines]
        self._refused_before = {version for version, _ in self._refusals()}

    def wait_for_all(self, deadline: float) -> dict[str, Any]:
        """Waits until every message is counted or refused and the queue is empty, or until the
        deadline (monotonic seconds).
        """
        with output.progress("counting", len(self.awaited)) as advance:
            shown = 0
            empty_looks = 0
            while True:
                queued = self._queued()
                empty_looks = 0 if queued else empty_looks + 1
                self._look()
                settled = sum(each.is_settled for each in self.awaited)
                advance(settled - shown)
                shown = settled
                is_done = settled == len(self.awaited) and empty_looks >= self._empty_looks_wanted
                if is_done or monotonic() >= deadline:
                    return self._result(0 if is_done else queued)
                sleep(_POLL_S)

    @property
    def _empty_looks_wanted(self) -> int:
        """How often in a row the queue must look empty: in a real account several times, because
        SQS reports approximate numbers, and SNS delivers a little later.
        """
        return 1 if self.target.env == LOCAL else _EMPTY_LOOKS

    def _result(self, queued: int) -> dict[str, Any]:
        """The numbers so far. A repeated event already has its mark, so its message may still be in
        the queue: `pending` is at least what is queued.
        """
        refused = [each for each in self.awaited if each.refusal and not each.is_counted]
        decided_against = sum(each.is_decided_against for each in self.awaited)
        return {
            "counted": sum(each.is_counted for each in self.awaited),
            "quarantined": len(refused),
            **({"refused": decided_against} if self.stage is StageName.PAYOUT else {}),
            "pending": max(queued, sum(not each.is_settled for each in self.awaited)),
            "quarantine": [{"line": each.line, **(each.refusal or {})} for each in refused],
        }

    def _look(self) -> None:
        self._look_for_marks()
        open_digests = {each.digest for each in self.awaited if not each.is_settled}
        if not open_digests:
            return
        found = {}
        for version, key in self._refusals():
            digest = key.rsplit("/", 1)[-1]
            if digest in open_digests and version not in self._refused_before:
                found[digest] = key
        for digest, key in found.items():
            refusal = self._read_refusal(key)
            for each in self.awaited:
                if each.digest == digest and not each.is_counted:
                    each.refusal = refusal

    def _look_for_marks(self) -> None:
        """An event is counted when all segments of its claim have their marks."""
        looked_for = {
            (each.operation_id, each.staged)
            for each in self.awaited
            if each.operation_id and each.staged and not each.is_counted
        }
        deliveries = DynamoDeliveries(
            self.target.client("dynamodb"), self.target.claims_table, self.target.balances_table
        )
        marks: dict[tuple[str, str], set[ItemKey]] = {}
        decided_against = set()
        for claim in deliveries.claimed(looked_for):
            identity = (claim.falcon_operation_id, claim.fingerprint)
            if claim.state in DECIDED_AGAINST:
                decided_against.add(identity)
            if claim.state not in DECIDED_AGAINST | UNDER_WAY:
                sk = MarkKey(claim.falcon_operation_id, claim.staged).sk
                marks[identity] = {ItemKey(merchant_pk(each), sk) for each in claim.merchant_ids}
        there = deliveries.counted(set().union(*marks.values()))
        for each in self.awaited:
            identity = (each.operation_id or "", each.fingerprint or "")
            each.is_decided_against = identity in decided_against
            keys = marks.get(identity)
            # A revision that changes no amount has no segment to wait for.
            if keys is not None and there.issuperset(keys):
                each.is_counted = True

    def _refusals(self) -> Iterator[tuple[tuple[str, str], str]]:
        """((key, version), key) of each message in the stage's quarantine since yesterday."""
        today = utc_now().date()
        for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
            for version in self._quarantine.versions(f"{self.stage.value}/date={day}/"):
                yield version, version[0]

    def _read_refusal(self, key: str) -> Mapping[str, str]:
        said = self._quarantine.said_of(key)
        return {"code": said["code"], "reason": said["reason"]}

    @property
    def _quarantine(self) -> QuarantineReader:
        return QuarantineReader(self.target.client("s3"), self.target.quarantine_bucket)

    def _queued(self) -> int:
        return messages_in(self.target.client("sqs"), self.target.queues[self.stage.value].url)


def _awaited(line: FileLine, stage: StageName) -> Awaited:
    digest = sha256(line.raw).hexdigest()
    try:
        operation = parse_document(decode(line.raw), Stage(stage.value))
    except RejectedOperation:
        return Awaited(line.number, digest)
    revision = operation.revision if isinstance(operation, PspOperation) else 1
    return Awaited(
        line.number,
        digest,
        falcon_operation_id(operation),
        staged(operation.stage, revision),
        fingerprint(operation),
    )
