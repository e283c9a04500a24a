"""Cursors of the API: good for one route, merchant and query, and opaque."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import pytest

from falcon_balances.contracts.cursors import Cursors
from tests.builders import confirmed, context_of, shop
from tests.component.api_calls import (
    MERCHANT,
    get,
)
from tests.component.balance_api.asking import ID, IN_OCTOBER, is_well_mannered
from tests.component.world import CURSOR_SEAL


def cursor_of(path: str, query: dict[str, object] | None = None) -> str:
    """A real one, from a page of one."""
    cursor = get(path, {**(query or {}), "limit": 1}).body["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


PAGED = ["/operations", "/statements/2026-10", "/unreconciled"]


@pytest.fixture
def paged(month):
    """Enough that every list has a second page, of another merchant too."""
    month.at("2026-11-01T00:01:00").contexts = (context_of(), context_of("other"))
    for n in range(3):
        for local in ("5553", "other"):
            said = {"external_reference": f"{local}-{n}", **IN_OCTOBER}
            month.count(confirmed(**shop(local) | said))
    return month


def refused(
    path: str,
    cursor: str,
    query: Mapping[str, object] | None = None,
    merchant_id: str = MERCHANT,
) -> bool:
    answer = get(path, {**(query or {}), "cursor": cursor}, merchant_id=merchant_id)
    assert is_well_mannered(answer)
    if answer.status != 422:
        return False
    assert (answer.problem, answer.named) == ("invalid-request", ["cursor"])
    return True


@pytest.mark.parametrize("path", PAGED)
def test_a_cursor_that_was_cut_or_lengthened_is_422(paged, path):
    cursor = cursor_of(path)
    assert not refused(path, cursor)
    assert all(refused(path, cursor[:length]) for length in range(1, len(cursor)))
    assert all(refused(path, cursor + more) for more in ("A", "AA", "AAAA", cursor))
    assert all(refused(path, cursor[start:]) for start in (1, 4, 16, len(cursor) - 1))


@pytest.mark.parametrize("path", PAGED)
def test_a_cursor_of_which_any_character_was_altered_is_422(paged, path):
    cursor = cursor_of(path)
    for n, character in enumerate(cursor):
        for other in {"A", "z", "-", "_", "0"} - {character}:
            assert refused(path, cursor[:n] + other + cursor[n + 1 :])


def test_a_cursor_of_another_route_month_merchant_or_query_is_422(paged):
    cursors = {path: cursor_of(path) for path in PAGED}
    for path in PAGED:
        for other, cursor in cursors.items():
            assert refused(path, cursor) is (other != path)
    assert refused("/statements/2026-09", cursors["/statements/2026-10"])
    for path in ("/operations", "/unreconciled"):
        theirs = get(path, "limit=1", merchant_id="m-other").body["next_cursor"]
        assert not refused(path, theirs, merchant_id="m-other")
        assert refused(path, theirs)
    assert refused("/operations", cursors["/operations"], {"order": "oldest_first"})
    assert refused("/operations", cursors["/operations"], {"stage": "confirmed"})
    assert refused("/operations", cursors["/operations"], {"to": "2026-12-01T00:00:00Z"})
    assert refused("/unreconciled", cursors["/unreconciled"], {"older_than_days": 1})
    assert refused("/statements/2026-10", cursors["/statements/2026-10"], {"format": "csv"})
    narrower = {"balance_shop_id": "bs-5553-eur"}
    assert refused("/statements/2026-10", cursors["/statements/2026-10"], narrower)


def test_what_a_query_says_by_default_may_be_said_or_left_out(paged):
    cursor = cursor_of("/operations")
    assert not refused("/operations", cursor, {"order": "newest_first"})
    assert not refused("/operations", cursor, {"limit": 200})


def test_a_cursor_is_no_base64_of_something_else(paged):
    for path in PAGED:
        cursor = cursor_of(path)
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for other in (b"", text[:16], b"\xff" * 40, text[16:], text + b"\x00", b"\x00" + text):
            made = urlsafe_b64encode(other).decode().rstrip("=")
            assert not made or refused(path, made)


HOSTILE = [
    "x",
    "#",
    "###",
    "####",
    "\x00",
    "ä",
    "\U0001d518" * 50,
    "9" * 400,
    "2026-10-31T23:45:00Z",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#confirmed#more",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#CONFIRMED",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#nosuchstage",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{'-' * 36}#confirmed",
    f"2026-10-31T23:45:00Z#9999-99-99T99:99:99Z#{ID}#confirmed",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#confirmed\n",
    f"2026-10-31T23:46:11Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-10-31T99:99:99Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-10-31T::::::::Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-10-32T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-10-00T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-99-31T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"0000-00-00T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"9999-99-99T99:99:99Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-09-01T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-12-01T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"\u0662026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
]


@pytest.mark.parametrize("position", HOSTILE)
@pytest.mark.parametrize("path", PAGED)
def test_whatever_a_cursor_holds_it_reaches_only_the_merchant_s_own(paged, path, position):
    """Even if somebody knew the key."""
    for query, bound in BOUND[path]:
        made = Cursors(CURSOR_SEAL, path[1:], MERCHANT, bound)
        answer = get(path, {**query, "cursor": made.write(position)})
        assert is_well_mannered(answer)
        assert answer.status in {200, 422}
        assert "m-other" not in answer.text


# Queries, and what a cursor is bound to by each.
BOUND: dict[str, list[tuple[dict[str, object], dict[str, object]]]] = {
    "/operations": [
        ({}, {"order": "newest_first"}),
        ({"order": "oldest_first"}, {"order": "oldest_first"}),
        ({"stage": "confirmed"}, {"order": "newest_first", "stage": "confirmed"}),
    ],
    "/statements/2026-10": [({}, {"format": "json"}), ({"format": "csv"}, {"format": "csv"})],
    "/unreconciled": [({}, {"older_than_days": 0})],
}


def test_the_sealed_cursors_of_these_tests_are_those_that_the_api_makes(paged):
    for path, bounds in BOUND.items():
        cursor, made = cursor_of(path), Cursors(CURSOR_SEAL, path[1:], MERCHANT, bounds[0][1])
        position = made.read(cursor)
        assert position is not None
        assert made.write(position) == cursor


@pytest.mark.parametrize("key", [b"", b"0" * 32, CURSOR_SEAL[:-1], CURSOR_SEAL + b"0"])
def test_a_cursor_under_another_key_is_422(paged, key):
    """Whoever knows how cursors are made, but not the key, makes none."""
    for path, bounds in BOUND.items():
        position = Cursors(CURSOR_SEAL, path[1:], MERCHANT, bounds[0][1]).read(cursor_of(path))
        assert position is not None
        assert refused(path, Cursors(key, path[1:], MERCHANT, bounds[0][1]).write(position))


def test_the_figures_in_a_statement_s_cursor_cannot_be_altered(paged):
    path, bound = "/statements/2026-10", {"format": "json"}
    cursors = Cursors(CURSOR_SEAL, path[1:], MERCHANT, bound)
    position = cursors.read(cursor_of(path))
    assert position is not None
    assert "10000" in position
    forged = position.replace("10000", "90000")
    assert refused(path, Cursors(b"a guess", path[1:], MERCHANT, bound).write(forged))
    seal = urlsafe_b64decode(cursor_of(path) + "===")[:32]
    assert refused(path, urlsafe_b64encode(seal + forged.encode()).decode().rstrip("="))
    # Under the key itself: the sums at the quarter's end do not add up.
    assert get(path, {"cursor": cursors.write(forged)}).problem == "unavailable"
