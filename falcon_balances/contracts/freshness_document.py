"""For systems: until when the balances are complete, and what still waits in the queues."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.domain.instants import rfc3339

_MODEL = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class WaitingMessages:
    """The messages in one stage's queue. `oldest_s` is None if no message waits, or AWS has not
    reported an age yet.
    """

    stage: str
    messages: int
    dead_letters: int
    oldest_s: int | None


class QueueV1(BaseModel):
    """`messages` are waiting, being worked on, or coming back later; dead letters wait for a
    person.
    """

    model_config = _MODEL

    stage: str
    messages: int
    dead_letters: int
    oldest_message_seconds: Annotated[
        int | None,
        Field(description="Null if no message waits, or AWS has not reported an age yet."),
    ]


class FreshnessV1(BaseModel):
    """`oldest_message_seconds`: the age of the oldest message of all queues. No balance
    includes that message yet.
    """

    model_config = _MODEL

    as_of: str | None
    lag_seconds: Annotated[int | None, Field(ge=0)]
    oldest_message_seconds: int | None
    queues: tuple[QueueV1, ...]


def freshness_document(
    as_of: datetime | None, waiting: Iterable[WaitingMessages], now: datetime
) -> FreshnessV1:
    queues = tuple(
        QueueV1(
            stage=each.stage,
            messages=each.messages,
            dead_letters=each.dead_letters,
            oldest_message_seconds=each.oldest_s,
        )
        for each in waiting
    )
    known = [each.oldest_message_seconds for each in queues]
    return FreshnessV1(
        as_of=None if as_of is None else rfc3339(as_of),
        lag_seconds=None if as_of is None else max(0, int((now - as_of).total_seconds())),
        oldest_message_seconds=max((each for each in known if each is not None), default=None),
        queues=queues,
    )
