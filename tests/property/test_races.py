"""Two actors over the same money, stopped, crashed and let on at every pair of their calls."""

from collections.abc import Callable

import pytest

from falcon_balances.domain.blocks import BlockStatus
from falcon_balances.domain.operations import Stage
from tests.property.test_spending import SpendingMachine

Scene = Callable[[SpendingMachine], None]


def two_blocks(world: SpendingMachine) -> None:
    world.block("k1", "6.00", [])
    world.block("k2", "6.00", [])


def the_same_block_twice(world: SpendingMachine) -> None:
    world.block("k1", "6.00", [])
    world.block("k1", "6.00", [])


def a_refund_authorized_and_counted(world: SpendingMachine) -> None:
    confirm_refund(world)
    world.authorize("r1", "6.00", 300, [])
    count(world)


def a_block_and_a_refund_counted(world: SpendingMachine) -> None:
    confirm_refund(world)
    world.block("k1", "6.00", [])
    count(world)


def an_authorization_released_and_counted(world: SpendingMachine) -> None:
    authorize(world)
    confirm_refund(world)
    world.release_any(0, [])
    count(world)


def an_authorization_expired_and_counted(world: SpendingMachine) -> None:
    authorize(world)
    confirm_refund(world)
    world.expire(301, [])
    count(world)


def a_payout_handled_twice(world: SpendingMachine) -> None:
    """More is asked for than there is, so that deciding again would decide otherwise."""
    world.request_payout("po-1", "12.00", "1.00")
    world.dispatch(Stage.PAYOUT, 1, [])
    step(world, 2)
    world.deliver_again(Stage.PAYOUT, 0)
    world.dispatch(Stage.PAYOUT, 1, [])


def two_payouts(world: SpendingMachine) -> None:
    for payout_id in ("po-1", "po-2"):
        world.request_payout(payout_id, "6.00", None)
        world.dispatch(Stage.PAYOUT, 1, [])
        step(world, 1)


def a_payout_and_a_block(world: SpendingMachine) -> None:
    world.request_payout("po-1", "12.00", "1.00")
    world.dispatch(Stage.PAYOUT, 1, [])
    world.block("k1", "6.00", [])


def a_payout_given_up(world: SpendingMachine) -> None:
    world.request_payout("po-1", "6.00", None)
    world.dispatch(Stage.PAYOUT, 1, [])
    world.give_up("po-1", [])


def a_payout_and_its_return(world: SpendingMachine) -> None:
    world.request_payout("po-1", "6.00", None)
    world.dispatch(Stage.PAYOUT, 1, [])
    step(world, 1)
    world.return_payout("po-1", "6.00", None)
    world.dispatch(Stage.PAYOUT, 1, [])


def two_returns_of_one_payout(world: SpendingMachine) -> None:
    """6.00 of 10.00 each."""
    world.request_payout("po-1", "10.00", None)
    world.pipeline.dispatcher(Stage.PAYOUT, 1)()
    for return_id in (None, "r-1"):
        world.return_payout("po-1", "6.00", return_id)
        world.dispatch(Stage.PAYOUT, 1, [])
        step(world, 1)


SCENES: tuple[Scene, ...] = (
    two_blocks,
    the_same_block_twice,
    a_refund_authorized_and_counted,
    a_block_and_a_refund_counted,
    an_authorization_released_and_counted,
    an_authorization_expired_and_counted,
    a_payout_handled_twice,
    two_payouts,
    a_payout_and_a_block,
    a_payout_given_up,
    a_payout_and_its_return,
    two_returns_of_one_payout,
)


def confirm_refund(world: SpendingMachine) -> None:
    """Up to the stream; not counted yet."""
    world.confirm_refund("r1", "6.00")
    world.pipeline.dispatcher(Stage.CONFIRMED, 1)()


def authorize(world: SpendingMachine) -> None:
    world.authorize("r1", "6.00", 300, [])
    world.actors.pop().finish()
    assert [block.status for block in world.spending.blocks().values()] == [BlockStatus.ACTIVE]


def count(world: SpendingMachine) -> None:
    for shard in range(len(world.pipeline.stream.by_id)):
        world.reduce(shard, 10, [])


def step(world: SpendingMachine, calls: int) -> None:
    for _ in range(calls):
        world.actors[-1].step()


def play(scene: Scene, first_calls: int, second_calls: int, fault: str | None) -> tuple[bool, bool]:
    """Whether the first and the second actor had ended before they were let on."""
    world = SpendingMachine()
    world.is_read_at_end = False
    world.bring_money()
    scene(world)
    first, second = world.actors
    for actor, calls in ((first, first_calls), (second, second_calls)):
        for _ in range(calls):
            actor.step()
    ended = first.is_done, second.is_done
    first.step(fault)
    first.finish()
    second.finish()
    world.actors = []
    world.teardown()
    return ended


@pytest.mark.parametrize("fault", [None, "crash"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_whoever_is_stopped_where_the_money_is_spent_once(scene: Scene, fault: str | None) -> None:
    first_ended, first_calls = False, 0
    while not first_ended:
        second_ended, second_calls = False, 0
        while not second_ended:
            first_ended, second_ended = play(scene, first_calls, second_calls, fault)
            second_calls += 1
        first_calls += 1
    assert first_calls > 2
