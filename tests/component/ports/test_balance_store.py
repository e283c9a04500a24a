"""What the table of balances does, in memory and in DynamoDB: all or nothing, never back."""

from dataclasses import replace

import pytest

from falcon_balances.adapters.ports import ConditionFailed
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import Block, Purpose, block_writes
from falcon_balances.domain.money import Currency
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import (
    AddCounters,
    Drop,
    NoteFound,
    PutMark,
    PutNewer,
    PutStanding,
)
from tests.component.world import utc

EUR, JPY = Currency("EUR", 2), Currency("JPY", 0)
MERCHANT = "MERCHANT#m-1"
MARK = PutMark(ItemKey(MERCHANT, "OPERATION#1#confirmed"), {"fingerprint": "f", "lines": "a,b\n"})
OTHER_MARK = PutMark(ItemKey(MERCHANT, "OPERATION#2#confirmed"), {"fingerprint": "g"})
BALANCE = ItemKey(MERCHANT, "BALANCE#bs-1#EUR")
STANDING = Standing(
    ItemKey(MERCHANT, "STANDING#1"),
    version=1,
    operation_date="2026-11-20T10:15:30Z",
    psp_id="psp-1",
    external_reference="ref-1",
    type="capture",
    confirmed="bs-1#EUR#capture#100",
)
AGREED = replace(STANDING, version=2, reconciled="bs-1#EUR#capture#100")
DIFFERENT = replace(STANDING, version=2, reconciled="bs-1#EUR#capture#90")


def add(key: ItemKey = BALANCE, **counters: int) -> AddCounters:
    return AddCounters(key, counters)


def test_marks_and_counters_are_written_together(store):
    assert not store.port.transact([MARK, add(confirmed=9900, operations_count=2)])
    assert store.read(MARK.key) == MARK.attributes
    assert store.read(BALANCE) == {"confirmed": 9900, "operations_count": 2}


def test_what_is_added_again_adds_up_and_new_counters_start_from_zero(store):
    store.port.transact([add(confirmed=100, pending=100)])
    store.port.transact([add(confirmed=-250, available=-250)])
    assert store.read(BALANCE) == {"confirmed": -150, "pending": 100, "available": -250}


def test_a_mark_that_is_there_stops_everything_and_is_answered(store):
    store.port.transact([MARK, add(confirmed=100)])
    again = PutMark(MARK.key, {"fingerprint": "other", "lines": "x\n"})
    outcomes = store.port.transact([OTHER_MARK, again, add(confirmed=5)])
    assert [type(outcome) for outcome in outcomes] == [type(None), ConditionFailed, type(None)]
    assert outcomes[1].attributes.items() >= MARK.attributes.items()
    assert store.read(OTHER_MARK.key) is None
    assert store.read(MARK.key) == MARK.attributes
    assert store.read(BALANCE) == {"confirmed": 100}


def test_reasons_stand_in_the_order_of_the_writes(store):
    store.port.transact([MARK, OTHER_MARK])
    third = PutMark(ItemKey(MERCHANT, "OPERATION#3#confirmed"), {"fingerprint": "h"})
    outcomes = store.port.transact([OTHER_MARK, third, add(confirmed=1), MARK])
    told = [outcome and outcome.attributes["fingerprint"] for outcome in outcomes]
    assert told == ["g", None, None, "f"]


def test_a_hundred_writes_are_one_transaction(store):
    marks = [
        PutMark(ItemKey(MERCHANT, f"OPERATION#{n}#confirmed"), {"fingerprint": str(n)})
        for n in range(99)
    ]
    assert not store.port.transact([*marks, add(operations_count=99)])
    assert store.read(BALANCE) == {"operations_count": 99}


def test_balances_are_read_by_merchant_and_nothing_else_with_them(store):
    store.port.transact(
        [
            MARK,
            add(confirmed=9900, reconciled=100, pending=9800, available=100, operations_count=3),
            add(ItemKey(MERCHANT, "BALANCE#bs-1-jpy#JPY"), adjusted=-7, withdrawn=2, blocked=1),
            add(ItemKey(MERCHANT, "WINDOW#bs-1#EUR#2026-11-20T10:15:00Z"), confirmed=9900),
            add(ItemKey(MERCHANT, "DAY#2026-11-20#bs-1#EUR"), confirmed_capture=9900),
            add(ItemKey("MERCHANT#m-10", "BALANCE#bs-10#EUR"), confirmed=1),
        ]
    )
    found = sorted(store.port.balances("m-1"), key=lambda balance: balance.currency.code)
    assert found == [
        Balance("bs-1", EUR, 9900, 100, 9800, available=100, operations_count=3),
        Balance("bs-1-jpy", JPY, withdrawn=2, adjusted=-7, blocked=1),
    ]
    assert list(store.port.balances("m-2")) == []


def put(standing: Standing, seen: int) -> PutStanding:
    return PutStanding(standing.key, standing.attributes(), seen)


@pytest.mark.parametrize(
    ("there", "write"),
    [
        (None, put(STANDING, 0)),
        (STANDING, put(DIFFERENT, 1)),
        # What is written replaces the whole: `open` goes where the stages agree.
        (DIFFERENT, put(replace(AGREED, version=3), 2)),
        (AGREED, put(replace(DIFFERENT, version=3), 2)),
    ],
)
def test_a_standing_of_the_version_that_was_seen_is_written_with_the_rest(store, there, write):
    if there is not None:
        store.port.transact([put(there, 0)])
    assert not store.port.transact([MARK, write, add(confirmed=1)])
    assert store.read(STANDING.key) == write.attributes
    assert store.read(MARK.key) == MARK.attributes
    assert store.read(BALANCE) == {"confirmed": 1}


@pytest.mark.parametrize(
    ("there", "write"),
    [
        (STANDING, put(STANDING, 0)),
        (AGREED, put(STANDING, 0)),
        (None, put(DIFFERENT, 1)),
        (AGREED, put(DIFFERENT, 1)),
        (STANDING, put(DIFFERENT, 2)),
    ],
)
def test_a_standing_of_another_version_stops_everything_and_is_answered(store, there, write):
    if there is not None:
        store.port.transact([put(there, 0)])
    outcomes = store.port.transact([MARK, write, add(confirmed=1)])
    assert [type(outcome) for outcome in outcomes] == [type(None), ConditionFailed, type(None)]
    said = {} if there is None else there.attributes()
    assert outcomes[1].attributes.items() >= said.items()
    assert bool(outcomes[1].attributes) == (there is not None)
    assert store.read(STANDING.key) == (there and there.attributes())
    assert store.read(MARK.key) is store.read(BALANCE) is None


def test_items_are_read_together_those_that_there_are(store):
    block = Block(
        block_id="block-1",
        merchant_id="m-1",
        balance_shop_id="bs-1",
        currency="EUR",
        amount=100,
        purpose=Purpose.MANUAL,
        reference="dispute-1",
        requested_by="anna",
        created_at=utc("2026-11-20T10:15:00"),
    )
    others = replace(DIFFERENT, key=ItemKey("MERCHANT#m-2", "STANDING#1"))
    store.port.transact([add(available=100)])
    store.port.transact([*block_writes(block), put(STANDING, 0), put(others, 0), MARK])
    gone = ItemKey(MERCHANT, "BLOCK#2"), ItemKey(MERCHANT, "STANDING#2")
    found = store.port.items([block.key, STANDING.key, others.key, BALANCE, *gone])
    assert found.keys() == {block.key, STANDING.key, others.key, BALANCE}
    assert found[block.key] == block.attributes()
    assert found[STANDING.key] == STANDING.attributes()
    assert found[BALANCE] == {"available": 0, "blocked": 100}
    assert store.port.items([gone[1]]) == store.port.items([]) == {}


def test_a_hundred_items_are_read_at_once(store):
    standings = [replace(STANDING, key=ItemKey(MERCHANT, f"STANDING#{n}")) for n in range(100)]
    store.port.transact([put(standing, 0) for standing in standings])
    found = store.port.items([standing.key for standing in standings])
    assert found == {standing.key: standing.attributes() for standing in standings}


SALE = ItemKey(MERCHANT, "SALE#psp#order 1#2")


@pytest.mark.parametrize(
    ("there", "least", "is_met"),
    [(None, 1, False), (0, 1, False), (5, 5, True), (5, 6, False), (-1, -1, True)],
)
def test_an_attribute_must_be_there_and_at_least_so_much(store, there, least, is_met):
    if there is not None:
        store.port.transact([AddCounters(SALE, {"EUR_left": there})])
    outcomes = store.port.transact([AddCounters(SALE, {"n": 1}, at_least=("EUR_left", least))])
    assert (not outcomes) is is_met
    if outcomes and there is not None:
        [failed] = outcomes
        assert isinstance(failed, ConditionFailed)
        assert failed.attributes["EUR_left"] == there


@pytest.mark.parametrize(("there", "is_met"), [(None, True), (0, True), (1, False)])
def test_an_attribute_must_be_absent_or_nothing(store, there, is_met):
    if there is not None:
        store.port.transact([AddCounters(SALE, {"captures": there})])
    assert (not store.port.transact([AddCounters(SALE, {"n": 1}, none_of="captures")])) is is_met


def test_what_was_found_is_noted_while_the_item_is_as_it_was_read(store):
    store.port.transact([AddCounters(SALE, {"version": 2}), put(STANDING, 0)])
    for key, version in ((SALE, 2), (STANDING.key, STANDING.version)):
        assert store.port.transact([NoteFound(key, version + 1, "x")]), "another version"
        assert not store.port.transact([NoteFound(key, version, "something")])
        found = store.port.items([key])[key]
        assert (found["found"], found["version"]) == ("something", version + 1)
        assert store.port.transact([NoteFound(key, version, "x")]), "it has moved on"
    gone = ItemKey(MERCHANT, "SALE#psp#none")
    assert store.port.transact([NoteFound(gone, 0, "x")])


def test_what_knows_more_replaces_what_knew_less(store):
    key = ItemKey(MERCHANT, "FINDING#merchants_contradict#1")

    def known(n: int) -> PutNewer:
        return PutNewer(key, {"known": n, "status": f"{n}"}, n)

    assert not store.port.transact([known(2)])
    for n in (1, 2):
        assert store.port.transact([known(n)])
    assert not store.port.transact([known(3)])
    assert store.port.items([key])[key] == {"known": 3, "status": "3"}
    assert not store.port.transact([Drop(key)])
    assert not store.port.transact([Drop(key)])
    assert store.port.items([key]) == {}
