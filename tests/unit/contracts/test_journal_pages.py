"""A page of a journal has one form, and every other one is refused with a reason."""

import json
from hashlib import sha256

import pytest

from falcon_balances.contracts.journal_pages import read_page
from falcon_balances.domain.available import Joint
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from falcon_balances.domain.table_keys import BalanceKey
from tests.journals import SHARD, entry, page_after

PAGE = page_after(BEGINNING, entry(0), entry(1, "10:30"))


def renamed(body: bytes, **changes):
    """The name under which forged bytes would be stored: its hash is right."""
    position = JournalPosition(PAGE.name.position.number, sha256(body).hexdigest())
    return PAGE.name._replace(**{"position": position} | changes)


def changed(number: int, /, **changes) -> bytes:
    """The page with another line `number`, from 1."""
    lines = PAGE.body.decode().splitlines()
    lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | changes, separators=(",", ":"))
    return "".join(f"{line}\n" for line in lines).encode()


def test_a_page_is_read_as_it_was_written():
    page = read_page(PAGE.name, PAGE.body)
    assert page.entries == (entry(0), entry(1, "10:30"))
    assert (page.shard_id, page.number, page.previous) == (SHARD, 1, BEGINNING.digest)
    assert page.floor == page.entries[0].window


def test_the_same_page_has_the_same_bytes_and_the_same_name():
    assert page_after(BEGINNING, entry(0), entry(1, "10:30")) == PAGE


def test_an_effect_on_many_balances_is_kept():
    effect = {BalanceKey(f"bs-{n}", "EUR"): Joint(n, -n, 0, 0, n) for n in range(40)}
    page = page_after(BEGINNING, entry(effect=effect))
    assert read_page(page.name, page.body).entries[0].effect == effect


def test_bytes_with_another_hash_than_the_key_says_are_refused():
    with pytest.raises(IntegrityError, match=r"000000000001-.*SHA-256"):
        read_page(PAGE.name, PAGE.body.replace(b"10:30", b"10:45"))


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (b"", "line 1 is not the head"),
        (b"{}\n", "line 1 is not the head"),
        (PAGE.body[:-1], "it has 1 entries, its head says 2"),
        (PAGE.body[:-20], "it has 1 entries, its head says 2"),
        (PAGE.body + PAGE.body.splitlines(keepends=True)[1], "the same log key twice"),
        (PAGE.body + b"\n", "line 4 is not an entry"),
        (changed(1, schema_version="2"), "line 1 is not the head"),
        (changed(1, entries=3), "it has 2 entries, its head says 3"),
        (changed(1, entries="2"), "line 1 is not the head"),
        (changed(1, number=2), "its head names another page"),
        (changed(1, shard_id="shardId-1"), "its head names another page"),
        (changed(1, previous="1" * 64), "its head names another page"),
        (changed(1, floor="2026-11-20T10:16:00Z"), "line 1 is not the head"),
        (changed(1, floor="2026-11-20T10:15:00+00:00"), "the only form"),
        (changed(1, floor=None), "line 1 is not the head"),
        (changed(1, more=1), "line 1 is not the head"),
        (changed(2, window="2026-11-20T10:16:00Z"), "line 2 is not an entry"),
        (changed(2, window="2026-11-20T10:15:00+00:00"), "the only form"),
        (changed(2, window="soon"), "line 2 is not an entry"),
        (changed(3, effect=""), "line 3 is not an entry"),
        (changed(3, effect="bs-5553-eur#EUR#1#2#3"), "line 3 is not an entry"),
        (changed(3, effect="bs-5553-eur#EUR#+1#2#3#4#5"), "the only form"),
        (changed(3, log_key="confirmed/x"), "line 3 is not an entry"),
        (changed(3, version_id=""), "line 3 is not an entry"),
        (changed(3, version_id=" "), "line 3 is not an entry"),
        (changed(3, body="é"), "line 3 is not an entry"),
        (changed(3, body=None), "line 3 is not an entry"),
        (changed(3, more=1), "line 3 is not an entry"),
        (PAGE.body.replace(b":", b": ", 1), "the only form"),
    ],
)
def test_what_the_reducer_would_not_have_written_is_refused(forged, why):
    with pytest.raises(IntegrityError, match=why):
        read_page(renamed(forged), forged)


@pytest.mark.parametrize(
    "changes",
    [{"shard_id": "shardId-1"}, {"previous": "1" * 64}],
    ids=["another shard", "behind another page"],
)
def test_a_page_under_another_name_is_refused(changes):
    with pytest.raises(IntegrityError, match="its head names another page"):
        read_page(renamed(PAGE.body, **changes), PAGE.body)


def test_an_effect_that_names_a_balance_twice_is_refused():
    twice = ",".join(["bs-5553-eur#EUR#1#0#0#0#0"] * 2)
    forged = changed(2, effect=twice)
    with pytest.raises(IntegrityError, match="the only form"):
        read_page(renamed(forged), forged)
