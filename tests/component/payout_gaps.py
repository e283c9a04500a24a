"""The gaps between the calls of a payout's steps, at which it is stopped."""

from collections.abc import Callable

import pytest

from falcon_balances.domain.blocks import BlockStatus
from falcon_balances.domain.errors import TransientError
from falcon_balances.fakes.interruptions import Crash, never
from tests.builders import Document
from tests.component.paying import Paying


def gaps(*calls: str) -> list[str]:
    return [f"{when} {call}" for call in calls for when in ("before", "after")]


LOOK_UP = "MemoryMerchantDirectory.merchants"


DECIDE, MOVE = "MemoryPayoutClaims.decide", "MemoryPayoutClaims.move"


CLAIM_RETURN = "MemoryPayoutClaims.claim_return"


FIND, CLAIM = "MemoryEventClaims.find", "MemoryEventClaims.claim"


APPEND, PUBLISH = "MemoryTransactionLog.append", "MemoryBalanceStream.publish"


ANNOUNCE = "MemoryOutcomeTopic.announce"


PAID = gaps(LOOK_UP, DECIDE, MOVE, APPEND, PUBLISH, MOVE, ANNOUNCE)


REFUSED = gaps(LOOK_UP, DECIDE, CLAIM, ANNOUNCE)


REJECTED = gaps(LOOK_UP, ANNOUNCE)


RETURNED = gaps(LOOK_UP, FIND, CLAIM_RETURN, APPEND, PUBLISH, ANNOUNCE)


IS_DECIDED, IS_LOGGING = PAID.index(f"after {DECIDE}"), PAID.index(f"after {MOVE}")


IS_PAID = IS_LOGGING + len(gaps(APPEND, PUBLISH, MOVE))


WHEREVER_STOPPED = pytest.mark.parametrize(
    "error", [Crash, TransientError], ids=["killed", "answer lost"]
)


def in_every(listed: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("gap", range(len(listed)), ids=listed)


def phase_of(gap: int) -> int:
    """0: not decided yet; 1: decided; 2: from `logging` on."""
    return (gap >= IS_DECIDED) + (gap >= IS_LOGGING)


def runs_into(paying: Paying, gap: int, happens: Callable[[], object], *what: Document) -> bool:
    """All steps, with something happening in the gap of this number; whether there was one."""
    paying.passed.clear()

    def at_each(_point: str) -> None:
        if len(paying.passed) == gap + 1:
            paying.happens = never
            happens()

    paying.happens = at_each
    paying.run(*what)
    paying.happens = never
    return len(paying.passed) > gap


def stopped(paying: Paying, gap: int, error: type[BaseException], *what: Document) -> bool:
    def stop() -> None:
        raise error

    try:
        runs_into(paying, gap, stop, *what)
    except error:
        return True
    return False


def assert_settled(paying: Paying, outcome: str, given: int = 10000) -> None:
    """This outcome and no other: in its state, in the log, as announced, in block and balance."""
    is_paid = outcome == "accepted"
    assert paying.state() == ("paid" if is_paid else outcome)
    assert len(paying.log.objects) == is_paid
    assert {each.outcome for each in paying.topic.announced} == {outcome}
    assert len({each.model_dump_json() for each in paying.topic.announced}) == 1
    withdrawn = 4000 if is_paid else 0
    expected = {"available": given - withdrawn, "blocked": 0, "withdrawn": withdrawn}
    assert [paying.count() for _ in range(2)] == [expected] * 2
    ended = {"accepted": [BlockStatus.SETTLED], "given_up": [BlockStatus.RELEASED], "refused": []}
    assert paying.block_status() == ended[outcome]
