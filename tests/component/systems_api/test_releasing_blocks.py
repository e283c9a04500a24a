"""Blocks that are read and released, and requests that meet others."""

from typing import Any

import pytest

from falcon_balances.domain.blocks import Block, BlockStatus, Purpose, block_writes, ending_writes
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.table_writes import AddCounters
from lambdas.systems_api import blocking
from tests.component.api_calls import NOT_FOUND, PROBLEM
from tests.component.systems_api.requests import (
    BALANCE,
    BLOCKS,
    NOW,
    OTHER_CALLER,
    at,
    block,
    money,
    request,
)


def test_blocks_are_shown_and_listed_the_newest_first(world, monkeypatch):
    first = block("1", amount="1.00")["body"]
    at(monkeypatch, "2026-11-20T10:21:00")
    second = block("2", amount="2.00")["body"]
    block("3", amount="900.00")  # refused: listed too, for somebody may ask what became of it
    listed = request("GET", BLOCKS)
    assert listed["statusCode"] == 200
    assert [each["status"] for each in listed["body"]["blocks"]].count("refused") == 1
    active = [each for each in listed["body"]["blocks"] if each["status"] == "active"]
    assert active == [second, first]
    for each in (first, second):
        shown = request("GET", f"{BLOCKS}/{each['block_id']}")
        assert (shown["statusCode"], shown["body"]) == (200, each)


def test_a_merchant_without_blocks_has_an_empty_list(world):
    answer = request("GET", BLOCKS)
    assert (answer["statusCode"], answer["body"]) == (200, {"blocks": []})


def test_a_released_block_gives_back_once_and_says_who_did(world, monkeypatch):
    held = block()["body"]
    path = f"{BLOCKS}/{held['block_id']}/release"
    at(monkeypatch, "2026-11-20T11:00:00")
    first = request("POST", path, caller=OTHER_CALLER)
    at(monkeypatch, "2026-11-20T12:00:00")
    again = request("POST", path)
    ended = {"status": "released", "ended_at": "2026-11-20T11:00:00Z", "ended_by": OTHER_CALLER}
    for answer in (first, again):
        assert (answer["statusCode"], answer["body"]) == (200, held | ended)
    assert request("GET", f"{BLOCKS}/{held['block_id']}")["body"] == held | ended
    assert money(world) == (10000, 0)
    assert block()["body"]["status"] == "released", "its key is used up"


@pytest.mark.parametrize("status", [BlockStatus.SETTLED, BlockStatus.EXPIRED])
def test_what_has_ended_otherwise_is_not_released(world, store, status):
    held = block()["body"]
    [there] = store.blocks_of("m-5553")
    store.transact(ending_writes(there, status, NOW, "another"))
    answer = request("POST", f"{BLOCKS}/{held['block_id']}/release")
    assert (answer["statusCode"], answer["body"]["field"]) == (409, "status")
    assert answer["body"]["block"]["status"] == status
    assert answer["body"]["block"]["ended_by"] == "another"
    assert money(world) == (10000, 0)


def test_a_refused_block_has_nothing_to_release(world):
    refused = block(amount="500.00")["body"]["block"]
    answer = request("POST", f"{BLOCKS}/{refused['block_id']}/release")
    assert (answer["statusCode"], answer["body"]["block"]["status"]) == (409, "refused")
    assert money(world) == (10000, 0)


def test_a_payout_s_block_is_its_payout_s(world, store):
    payout = Block(
        block_id="a5b1c2d3-0000-5000-8000-000000000001",
        merchant_id="m-5553",
        balance_shop_id="bs-5553-eur",
        currency="EUR",
        amount=7000,
        purpose=Purpose.PAYOUT,
        reference="payout-1",
        requested_by="payouts",
        created_at=NOW,
    )
    assert not store.transact(block_writes(payout))
    answer = request("POST", f"{BLOCKS}/{payout.block_id}/release")
    assert (answer["statusCode"], answer["body"]["field"]) == (409, "purpose")
    assert money(world) == (3000, 7000)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "{blocks}/{block_id}"), ("POST", "{blocks}/{block_id}/release")],
)
def test_another_merchant_s_block_is_not_found(world, method, path):
    block_id = block()["body"]["block_id"]
    for blocks, wanted in [
        (BLOCKS.replace("m-5553", "m-other"), block_id),
        (BLOCKS, "no-such-block"),
        (BLOCKS, "x" * 900),
        (BLOCKS.replace("m-5553", "x" * 900), block_id),
    ]:
        answer = request(method, path.format(blocks=blocks, block_id=wanted))
        assert (answer["statusCode"], answer["body"]) == (404, NOT_FOUND)
    assert money(world) == (6000, 4000)


@pytest.mark.parametrize(
    "path", [f"{BLOCKS}/{'x' * 2000}", BLOCKS.replace("m-5553", "x" * 3000), "/" + "x" * 8192]
)
def test_a_path_beyond_all_measure_is_413(world, path):
    answer = request("GET", path)
    assert (answer["statusCode"], answer["body"]["type"]) == (413, f"{PROBLEM}too-large")


def test_conflicts_are_tried_again_and_without_end_are_503(fake):
    asked: list[int] = []

    def conflicts(writes: Any) -> list[int]:
        asked.append(len(writes))
        return [1] if len(asked) < blocking.ATTEMPTS else []

    fake.conflicts = conflicts
    assert block()["statusCode"] == 201
    fake.conflicts = lambda _writes: [1]
    assert block("other")["statusCode"] == 503
    fake.conflicts = lambda _writes: [0]
    path = f"{BLOCKS}/{fake.blocks_of('m-5553')[0].block_id}/release"
    assert request("POST", path)["statusCode"] == 503
    fake.conflicts = lambda _writes: []
    assert request("POST", path)["statusCode"] == 200
    assert fake.counters[BALANCE] == {"available": 10000, "blocked": 0}


def test_a_refusal_that_another_request_overtakes_is_answered_as_that_one(fake):
    """Both saw too little; between seeing and saying so, money came and the other was granted."""
    calls: list[str] = []

    def another_first(point: str) -> None:
        if point != "before MemoryBalanceStore.transact":
            return
        calls.append(point)
        if len(calls) == 2:
            fake.interrupt = lambda _point: None
            fake.apply([AddCounters(BALANCE, {"available": 10**6})])
            assert block(amount="100.01")["statusCode"] == 201

    fake.interrupt = another_first
    answer = block(amount="100.01")
    assert (answer["statusCode"], answer["body"]["status"]) == (200, "active")
    assert fake.counters[BALANCE]["blocked"] == 10001


def test_a_lost_answer_is_503_and_asking_again_finds_the_block(fake):
    def lose_the_answer(point: str) -> None:
        if point == "after MemoryBalanceStore.transact":
            fake.interrupt = lambda _point: None
            raise TransientError("lost")

    fake.interrupt = lose_the_answer
    assert block()["statusCode"] == 503
    assert block()["statusCode"] == 200
    assert fake.counters[BALANCE] == {"available": 6000, "blocked": 4000}


@pytest.mark.parametrize(
    ("status", "code"), [(BlockStatus.SETTLED, 409), (BlockStatus.RELEASED, 200)]
)
def test_a_block_that_ends_while_it_is_released_ends_once(fake, status, code):
    path = f"{BLOCKS}/{block()['body']['block_id']}/release"
    [there] = fake.blocks_of("m-5553")

    def ended_first(point: str) -> None:
        if point == "before MemoryBalanceStore.transact":
            fake.interrupt = lambda _point: None
            assert not fake.apply(ending_writes(there, status, NOW, "another"))

    fake.interrupt = ended_first
    answer = request("POST", path)
    assert answer["statusCode"] == code
    document = answer["body"] if code == 200 else answer["body"]["block"]
    assert (document["status"], document["ended_by"]) == (status, "another")
    assert fake.counters[BALANCE] == {"available": 10000, "blocked": 0}
