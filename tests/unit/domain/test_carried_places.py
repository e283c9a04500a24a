"""Manifests repeat leaves in turn: all of them within a turn, and few at once."""

import pytest

from falcon_balances.domain.carried_places import BEGINNING, Places, places_to_carry, start_of


@pytest.mark.parametrize(
    ("moved", "merchants", "turn"),
    [(1_000, 100, 8), (1_000, 16_000, 8), (1_000, 24_000, 13), (1_000, 10**6, 501), (1, 1, 8)],
)
def test_a_turn_has_every_place_once(moved, merchants, turn):
    start, ends = BEGINNING, [BEGINNING]
    for number in range(turn):
        places = places_to_carry(start, moved, merchants)
        assert places.start == ends[-1]
        start = places.next_start
        ends.append(places.end)
        assert (start == BEGINNING) == (number == turn - 1)
    assert ends == sorted(ends)


def test_a_place_is_met_by_its_prefixes_only():
    places = Places("1f000000", "20000000")
    assert [each for each in ("", "0", "1", "2", "1e", "1f") if places.meet(each)] == [
        *("", "1", "1f")
    ]
    assert places.meet("1fffffff" * 8)
    assert not places.meet("20000000" * 8)
    assert places.meet("1f000000" * 8)
    assert not places.meet("1effffff" * 8)


def test_without_merchants_that_moved_nothing_is_repeated():
    places = places_to_carry("80000000", 0, 1_000)
    assert places.next_start == "80000000"
    assert not places.meet("")
    assert not places.meet("80000000" * 8)


@pytest.mark.parametrize(
    "text", ["", "1", "-0000001", "0000000G", "000000000", None, 7, "0x000000"]
)
def test_no_other_text_is_a_start(text):
    with pytest.raises((TypeError, ValueError)):
        start_of(text)
