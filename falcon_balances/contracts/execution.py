"""The inputs and outputs of the steps of one execution."""

from pydantic import BaseModel, ConfigDict

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.links import LinksV1
from falcon_balances.contracts.log_objects import VersionId
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.domain.operations import Stage


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ValidMessage(_Step):
    """A message that satisfies the contract; `event` is the whole event, with amounts and dates as
    stored.
    """

    message_id: str
    received_at: str
    event: dict[str, object]


class SplitterInput(_Step):
    stage: Stage
    messages: tuple[ValidMessage, ...]


class SplitMessage(_Step):
    """What the event would mean, or why it is refused; the claim decides on both."""

    message_id: str
    claim: ClaimV1
    rejection: Rejection | None = None


class PersisterInput(_Step):
    messages: tuple[SplitMessage, ...]


class PersistedMessage(_Step):
    """The claim in force, in compact form; its segments are all in the log, in these `versions`.

    `earlier`: revisions whose segments must go on the stream before those of this claim.
    `is_later`: the message must come back, because an earlier revision has not arrived yet.
    """

    message_id: str
    claim: ClaimV1 | None = None
    versions: tuple[VersionId, ...] = ()
    earlier: tuple[int, ...] = ()
    links: LinksV1 = LinksV1()
    rejection: Rejection | None = None
    is_later: bool = False


class PublisherInput(_Step):
    messages: tuple[PersistedMessage, ...]


class MessageResult(_Step):
    """The result for one message: published, rejected, or to be retried later."""

    message_id: str
    rejection: Rejection | None = None
    is_later: bool = False


class ExecutionResult(_Step):
    results: tuple[MessageResult, ...]
