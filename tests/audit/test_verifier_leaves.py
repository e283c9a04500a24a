"""A leaf counts its object by what its object says, and in one way of writing."""

import json
from contextlib import ExitStack
from hashlib import sha256

import pytest

from falcon_balances.audit.verifier import leaves as verifier_leaves
from falcon_balances.audit.verifier import verification
from falcon_balances.audit.verifier.findings import NotWrittenSoError
from falcon_balances.audit.verifier.leaves import (
    CheckedLeaves,
    check_leaves,
    is_as_expected,
    read_object_leaf,
)
from falcon_balances.audit.verifier.objects import LINE_MAX, line_uuid, read_amount
from falcon_balances.domain.log_grammar import HEADER
from generated.logs import write
from tests.audit.tampering import check, joined, lines_of, rewrite
from tests.audit.tampering_manifests import name_of

OPERATION = "11111111-2222-5333-8444-555555555555"


def changed_leaf(lines: list[bytes], fields: dict[str, object]) -> int:
    place = next(n for n, each in enumerate(lines) if b'"leaf":"object"' in each)
    document = json.loads(lines[place]) | fields
    lines[place] = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return place + 1


def one_sum(amount: str = "1.00", lines: int = 1) -> list[list[str | int]]:
    return [["b", "EUR", "confirmed", "capture", amount, lines]]


@pytest.mark.parametrize(
    "fields",
    [
        {"sums": one_sum(lines=int("9" * 4_300))},
        {"sums": one_sum(lines=0), "lines": 0},
        {"sums": one_sum(lines=-1), "lines": -1},
        {"sums": one_sum("9" * 39), "lines": 1},
        {"sums": one_sum("9" * 38 + ".00"), "lines": 1},
        {"sums": one_sum("-0.00"), "lines": 1},
        {"sums": one_sum() * 2, "lines": 1},
        {"lines": int("9" * 4_300)},
        {"size": -1},
        {"size": int("9" * 4_300)},
        {"flaw": "and yet it adds up"},
    ],
)
def test_what_is_wrong_with_a_leaf_s_sums_is_said_once_and_counts_its_object(sealed, fields):
    path = sealed.manifests / name_of(3)
    lines = lines_of(path)
    with ExitStack() as stack:
        number = changed_leaf(lines, fields)
        rewrite(stack, path, joined(lines))
        found = check(sealed) - {json.loads(lines[number - 1])["key"]}
        assert found == {name_of(3), f"{name_of(3)}, line {number}"}


@pytest.mark.parametrize(
    "change",
    [
        (b'"lines":2', b'"lines":02'),
        (b'"lines":2', b'"lines": 2'),
        (b'"lines":2', b'"lines":2,"lines":2'),
        (b'"v-', b'"\\u0076-'),
        (b'"v-', b'"\x7f-'),
        (b'"v-', b'"\n-'),
        (b'"v-', b'"\xc3\xa9-'),
        (b"}", b"}\n"),
    ],
)
def test_a_leaf_that_is_written_in_another_way_is_none(sealed, change):
    leaf = next(
        each
        for each in lines_of(sealed.manifests / name_of(1))
        if b'"lines":2' in each and b'"leaf":"object"' in each
    )
    assert read_object_leaf(leaf)
    assert is_as_expected(str(sealed.log), 3, leaf, CheckedLeaves(b""), {})
    changed = leaf.replace(*change)
    with pytest.raises(NotWrittenSoError):
        read_object_leaf(changed)
    assert not is_as_expected(str(sealed.log), 3, changed, CheckedLeaves(b""), {})


def test_taking_a_leaf_apart_comes_to_what_comparing_it_does(sealed, monkeypatch):
    leaves = lines_of(sealed.manifests / name_of(2))[2:]
    others = sum(b'"leaf":"object"' not in each for each in leaves)
    compared = check_leaves(str(sealed.log), name_of(2), 3, leaves, others)
    assert compared.objects == len(leaves) - others
    monkeypatch.setattr(verifier_leaves, "is_as_expected", lambda *_: None)
    assert check_leaves(str(sealed.log), name_of(2), 3, leaves, others) == compared


@pytest.mark.parametrize("leaves", [1, 2, 8, 64])
def test_the_tree_is_the_same_in_whichever_blocks_its_leaves_are_checked(
    small, monkeypatch, leaves
):
    monkeypatch.setattr(verification, "LEAVES_PER_BLOCK", leaves)
    assert check(small) == set()
    path = small.manifests / name_of(2)
    lines = lines_of(path)
    changed_leaf(lines, {"version_id": "another"})
    path.write_bytes(joined(lines))
    assert check(small, versions=None) == {name_of(2)}


@pytest.mark.parametrize("shop", ["bs", "", 'b"s', "b\\s", "b\x01s", "b\x7fs"])
def test_a_leaf_is_as_expected_only_where_its_object_says_what_the_log_can_hold(tmp_path, shop):
    """So nothing of it is anything that JSON would escape."""
    day = "2026-10-01"
    key = f"confirmed/merchant_id=m/date={day}/{OPERATION}.csv"
    uuid = line_uuid(f"{OPERATION}|confirmed|m|{shop}|capture|0")
    line = f"{uuid},r,1.00,EUR,capture,{OPERATION},{day}T10:00:00Z,l,s,{shop},p,,,,,"
    body = "\n".join([HEADER, line, ""]).encode()
    write({key: body}, tmp_path)
    leaf = json.dumps(
        {
            "key": key,
            "leaf": "object",
            "lines": 1,
            "sha256": sha256(body).hexdigest(),
            "size": len(body),
            "sums": [[shop, "EUR", "confirmed", "capture", "1.00", 1]],
            "version_id": "v",
        },
        separators=(",", ":"),
    ).encode()
    unescaped = leaf.replace(json.dumps(shop).encode(), f'"{shop}"'.encode())
    is_sound = shop == "bs"
    for each in (leaf, unescaped):
        merchant = is_as_expected(str(tmp_path), 3, each, CheckedLeaves(b""), {})
        assert merchant == ("m" if is_sound else None)
    problems = check_leaves(str(tmp_path), name_of(1), 3, [leaf]).problems
    assert [each.place for each in problems] == ([] if is_sound else [key])
    unread = check_leaves(str(tmp_path), name_of(1), 3, [unescaped]).unread
    assert unread == (shop not in {"bs", ""})


@pytest.mark.parametrize(
    ("amount", "is_one"),
    [
        ("9" * 19, True),
        ("9" * 15 + ".0000", True),
        ("1" + "0" * 19, False),
        ("9" * 16 + ".0000", False),
        ("-0", False),
        ("-0.01", True),
        ("-0.00", False),
        ("0.00", True),
    ],
)
def test_an_amount_of_a_line_has_nineteen_digits_at_most(amount, is_one):
    if is_one:
        assert read_amount(amount, LINE_MAX)
    else:
        with pytest.raises(NotWrittenSoError):
            read_amount(amount, LINE_MAX)
