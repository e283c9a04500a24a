"""Pages of a journal build on each other: none is missing, replaced or added unnoticed."""

from dataclasses import replace
from hashlib import sha256

import pytest

from falcon_balances.domain.available import Joint
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import QUARTER
from falcon_balances.domain.journal import (
    BEGINNING,
    JournalPosition,
    PageName,
    Repeats,
    chained,
    key_after,
)
from tests.journals import BALANCE, SHARD, entry


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def name(number: int, text: str, previous: str = "", shard_id: str = SHARD) -> PageName:
    """The page number `number` with this text, behind the page with the text `previous`."""
    before = digest(previous) if previous else BEGINNING.digest
    return PageName(shard_id, JournalPosition(number, digest(text)), before)


A, B, C = name(1, "a"), name(2, "b", "a"), name(3, "c", "b")


def test_pages_are_found_in_their_order_whatever_the_order_of_their_names():
    assert chained(SHARD, BEGINNING, C.position, [C, A, B]) == [A, B, C]
    assert chained(SHARD, A.position, C.position, [B, C]) == [B, C]


def test_pages_of_interrupted_attempts_are_left_out():
    strays = [name(1, "x"), name(2, "x", "a"), name(3, "x", "x"), name(4, "x", "c")]
    assert chained(SHARD, BEGINNING, C.position, [*strays, A, B, C]) == [A, B, C]


@pytest.mark.parametrize("missing", [A, B, C])
def test_a_missing_page_is_named(missing):
    left = [each for each in (A, B, C) if each != missing]
    with pytest.raises(IntegrityError, match=f"{SHARD}: page {missing.position.text} is missing"):
        chained(SHARD, BEGINNING, C.position, left)


def test_a_page_in_place_of_another_one_is_not_taken_for_it():
    with pytest.raises(IntegrityError, match="is missing"):
        chained(SHARD, BEGINNING, C.position, [A, name(2, "forged", "a"), C])


def test_what_was_read_before_is_what_the_next_page_builds_on():
    with pytest.raises(IntegrityError, match="no page 1 has the expected hash"):
        chained(SHARD, name(1, "x").position, C.position, [B, C])


def test_nothing_is_new_at_a_position_or_before_it():
    assert chained(SHARD, C.position, C.position, []) == []
    assert chained(SHARD, C.position, B.position, []) == []


def test_another_page_at_the_position_that_was_read_is_no_continuation():
    with pytest.raises(IntegrityError, match="no page 3"):
        chained(SHARD, C.position, name(3, "x", "b").position, [])


def test_names_are_read_as_they_were_written():
    for each in (A, B, C, name(10**12 - 1, "z", "y", "a.b_c-d")):
        assert PageName.parse(each.key) == each
        assert JournalPosition.parse(each.position.text) == each.position


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        A.key + "x",
        A.key.replace("journal/", "log/"),
        A.key.replace(SHARD, "a/b"),
        A.key.replace("000000000001", "1"),
        A.key.replace("000000000001", "000000000000"),
        A.key.upper(),
    ],
)
def test_a_key_that_no_page_has_is_refused(wrong):
    with pytest.raises(ValueError, match="not a key of the journal"):
        PageName.parse(wrong)


@pytest.mark.parametrize("wrong", ["", "1", A.position.text + "0", A.key])
def test_a_text_that_is_no_position_is_refused(wrong):
    with pytest.raises(ValueError, match="not a position in a journal"):
        JournalPosition.parse(wrong)


def test_keys_sort_by_number():
    keys = [name(number, "x").key for number in (1, 2, 9, 10, 11, 100)]
    assert sorted(keys) == keys
    assert [key for key in keys if key > key_after(SHARD, 10)] == keys[3:]


def test_an_entry_knows_the_hash_and_the_size_of_its_log_object():
    ours = entry()
    assert ours.sha256 == digest(ours.body)
    assert ours.size == len(ours.body.encode())


def test_a_repeat_is_recognized():
    repeats = Repeats()
    assert repeats.is_new(entry(0))
    assert repeats.is_new(entry(1))
    assert not repeats.is_new(entry(0))
    assert repeats.second_versions == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"window": entry().window + QUARTER},
        {"effect": {BALANCE: Joint(pending=1)}},
        {"body": entry(1).body},
    ],
    ids=["window", "effect", "lines"],
)
def test_a_repeat_with_other_contents_is_an_error_that_names_the_key(changes):
    repeats = Repeats()
    repeats.is_new(entry())
    with pytest.raises(IntegrityError, match=entry().log_key):
        repeats.is_new(replace(entry(), **changes))


def test_a_second_version_is_named_and_the_first_one_counts():
    repeats = Repeats()
    repeats.is_new(entry())
    assert not repeats.is_new(entry(version_id="version-2"))
    assert repeats.second_versions == {entry().log_key}
