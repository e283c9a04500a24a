"""The trees of RFC 9162: roots by its own recursion, and proofs that hold for no other leaf."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.merkle import leaf_hash, levels_of, node_hash, path_of, root_of
from tests.strategies import few


def by_the_rfc(leaves: list[bytes]) -> bytes:
    """2.1.1, word by word: k is the largest power of two smaller than n."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + by_the_rfc(leaves[:k]) + by_the_rfc(leaves[k:])).digest()


# Roots of the first n of these leaves, as Certificate Transparency's reference tests have them.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_those_of_the_reference(size):
    assert root_of(map(leaf_hash, LEAVES[:size])).hex() == ROOTS[size]


@given(st.lists(st.binary(max_size=3), max_size=40))
@few
def test_roots_are_those_of_the_recursion(leaves):
    hashes = [leaf_hash(leaf) for leaf in leaves]
    assert root_of(hashes) == by_the_rfc(leaves)
    if leaves:
        assert levels_of(hashes)[-1] == [by_the_rfc(leaves)]


def root_by(leaf: bytes, path: list[tuple[str, bytes]]) -> bytes:
    value = leaf_hash(leaf)
    for side, other in path:
        value = node_hash(other, value) if side == "left" else node_hash(value, other)
    return value


@given(st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=40, unique=True), st.data())
@few
def test_a_path_leads_from_its_leaf_to_the_root_and_from_no_other(leaves, data):
    levels = levels_of([leaf_hash(leaf) for leaf in leaves])
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = path_of(levels, index)
    assert root_by(leaves[index], path) == levels[-1][0]
    assert len(path) <= len(levels) - 1
    assert root_by(leaves[index] + b"x", path) != levels[-1][0]


@pytest.mark.parametrize("index", [-1, 3])
def test_a_leaf_that_is_not_there_has_no_path(index):
    with pytest.raises(IndexError):
        path_of(levels_of([b"1" * 32] * 3), index)
