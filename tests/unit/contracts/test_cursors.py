"""Cursors: opaque to whoever pages, and good for one merchant, route and query only."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.contracts.cursors import Cursors, InvalidCursorError
from tests.strategies import few

KEY = b"a key"
QUERY = {"stage": "confirmed", "order": "newest_first"}
CURSORS = Cursors(KEY, "operations", "m-1", QUERY)
POSITION = "2026-11-20T10:15:00Z#2026-11-20T10:15:30Z#an-operation#confirmed"


@few
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_cursor_reads_back_as_the_position_it_was_written_for(position):
    assert CURSORS.read(CURSORS.write(position)) == position


def test_a_cursor_is_safe_in_an_address_as_it_is():
    for position in (POSITION, "a", "ab", "abc", "abcd", "?>~ÿ"):
        assert CURSORS.write(position).replace("-", "").replace("_", "").isalnum()


def test_without_a_cursor_a_page_begins_at_the_beginning():
    assert CURSORS.read(None) is None


@pytest.mark.parametrize(
    "other",
    [
        Cursors(KEY, "findings", "m-1", QUERY),
        Cursors(KEY, "operations", "m-2", QUERY),
        Cursors(KEY, "operations", "m-1", QUERY | {"stage": "reconciled"}),
        Cursors(KEY, "operations", "m-1", {"stage": "confirmed"}),
        Cursors(KEY, "operations", "m-1", {}),
        Cursors(b"another key", "operations", "m-1", QUERY),
    ],
    ids=["route", "merchant", "query", "without a parameter", "without any", "key"],
)
def test_a_cursor_of_another_merchant_route_query_or_key_is_refused(other):
    with pytest.raises(InvalidCursorError):
        CURSORS.read(other.write(POSITION))


def test_the_order_of_the_query_s_parameters_does_not_matter():
    same = Cursors(KEY, "operations", "m-1", dict(reversed(QUERY.items())))
    assert CURSORS.read(same.write(POSITION)) == POSITION


def test_a_cursor_that_was_cut_or_altered_anywhere_is_refused():
    cursor = CURSORS.write(POSITION)
    for at in range(len(cursor)):
        altered = "B" if cursor[at] == "A" else "A"
        for changed in (cursor[:at], cursor[:at] + altered + cursor[at + 1 :]):
            with pytest.raises(InvalidCursorError):
                CURSORS.read(changed)


@pytest.mark.parametrize(
    "made_up", ["", "=", "%", "ü", "a", "AAAA", "A" * 600, urlsafe_b64encode(b"x" * 16).decode()]
)
def test_a_cursor_that_somebody_made_up_is_refused(made_up):
    with pytest.raises(InvalidCursorError):
        CURSORS.read(made_up)


def test_a_cursor_with_padding_or_another_spelling_is_refused():
    """One position has one cursor."""
    cursor = CURSORS.write(POSITION + "x")
    padded = cursor + "=" * (-len(cursor) % 4)
    assert urlsafe_b64decode(padded)
    for spelled in (padded, cursor + "\n", " " + cursor) if padded != cursor else (" " + cursor,):
        with pytest.raises(InvalidCursorError):
            CURSORS.read(spelled)


def test_the_key_is_never_shown():
    assert "a key" not in repr(CURSORS)
