"""The tree of all merchants: what follows from the set of leaves, at the cost of what moved."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import log
from random import Random
from typing import Any

import pytest

from falcon_balances.audit.verifier.proofs import root_by
from falcon_balances.domain.carried_places import BEGINNING, places_to_carry
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.merchant_branch import DIGITS, NOBODY, SealedLine, value_of_line
from falcon_balances.domain.merchant_tree import MerchantTree, place_of
from falcon_balances.domain.merkle import leaf_hash, node_hash, root_of
from falcon_balances.domain.sealed_objects import canonical

SEED = "5e" * 32


def defined(lines: "Lines", prefix: str = "") -> bytes:
    """The value at a prefix, by the definition in docs/manifests.md."""
    below = {place: leaf for place, leaf in lines.latest.items() if place.startswith(prefix)}
    if not below and prefix:
        return NOBODY
    if len(below) == 1 and prefix:
        return leaf_hash(*below.values())
    line = lines.branches[prefix]
    blind = json.loads(line)["blind"]
    blinds = [sha256(f"{blind}{digit}".encode()).digest() for digit in DIGITS]
    values = [defined(lines, prefix + digit) for digit in DIGITS]
    return node_hash(root_of(map(node_hash, blinds, values)), leaf_hash(line))


class Lines:
    """The lines of all manifests, and how many of them were read and written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.root: SealedLine | None = None
        self.latest: dict[str, bytes] = {}
        self.branches: dict[str, bytes] = {}
        self.reads = 0
        self.oldest = 0
        self.rounds = 0

    def read(self, wanted: Sequence[SealedLine]) -> list[bytes]:
        self.reads += len(wanted)
        assert all(each.offset >= self.oldest for each in wanted)
        self.rounds += 1
        return [self.written[each.offset] for each in wanted]

    def add(self, document: Mapping[str, Any]) -> SealedLine:
        document = {**document, "blind": sha256(b"%d" % len(self.written)).hexdigest()}
        return self.again(canonical(document))

    def again(self, line: bytes) -> SealedLine:
        document = json.loads(line)
        self.written.append(line)
        if document["leaf"] == "branch":
            self.branches[document["prefix"]] = line
        else:
            self.latest[place_of(SEED, document["merchant_id"])] = line
        return SealedLine(value_of_line(line, document), 1, len(self.written) - 1, len(line))

    def tree(self, *merchants: str) -> MerchantTree:
        return MerchantTree(SEED, self.root, merchants, self.read)

    def move(self, merchants: Sequence[str], what: int) -> MerchantTree:
        tree = self.tree(*merchants)
        for each in merchants:
            document = {"leaf": "merchant", "merchant_id": each, "objects": what}
            before = self.latest.get(place_of(SEED, each))
            assert (each in tree.leaves) == (before is not None)
            tree.put(each, self.add(document))
        self.root = tree.write(self.add)
        return tree


@pytest.mark.parametrize("seed", range(40))
def test_the_root_is_that_of_the_latest_leaves_in_whatever_order_they_came(seed):
    rng = Random(seed)
    lines = Lines()
    everybody = [f"m-{n}" for n in range(rng.choice([1, 2, 3, 20, 300]))]
    for what in range(rng.randrange(1, 7)):
        lines.move(rng.sample(everybody, rng.randrange(len(everybody) + 1)), what)
        assert lines.root is not None
        assert lines.root.value == defined(lines)


def test_a_path_leads_from_each_leaf_to_the_root():
    lines = Lines()
    everybody = [f"m-{n}" for n in range(200)]
    lines.move(everybody, 1)
    lines.move(everybody[:5], 2)
    for each in everybody:
        path = [(side, value.hex()) for side, value in lines.tree(each).path(each)]
        assert lines.root is not None
        assert root_by(lines.latest[place_of(SEED, each)], path) == lines.root.value


@pytest.mark.parametrize("merchants", [10**2, 10**4, 10**5])
def test_a_seal_costs_what_moved_whatever_the_number_of_merchants(merchants):
    lines = Lines()
    everybody = [f"m-{n}" for n in range(merchants)]
    lines.move(everybody, 1)
    moved = Random(merchants).sample(everybody, 10)
    reads, rounds, written = lines.reads, lines.rounds, len(lines.written)
    lines.move(moved, 2)
    deep = log(merchants, 16) + 2
    assert lines.reads - reads <= len(moved) * deep
    assert lines.rounds - rounds <= deep + 2
    assert len(lines.written) - written <= len(moved) * deep
    assert sum(map(len, lines.written[written:])) <= len(moved) * deep * 1_600


@pytest.mark.parametrize("seed", range(40))
def test_a_line_that_is_not_what_the_root_binds_is_refused(seed):
    """Of another place, older, changed, or none at all."""
    rng = Random(seed)
    lines = Lines()
    everybody = [f"m-{n}" for n in range(60)]
    for what in range(3):
        lines.move(everybody, what)
    wanted = rng.choice(everybody)
    lines.tree(wanted)
    asked: list[SealedLine] = []

    def read(some: Sequence[SealedLine]) -> list[bytes]:
        asked.extend(some)
        return lines.read(some)

    MerchantTree(SEED, lines.root, [wanted], read)
    place = rng.choice(asked).offset
    true = lines.written[place]
    for other in (rng.choice(lines.written), true.replace(b"m-", b"n-", 1), b"", b"[]", b"{}"):
        lines.written[place] = other
        if other != true:
            with pytest.raises(IntegrityError, match=f"byte {place} of the leaves of manifest 1"):
                lines.tree(wanted)


def test_every_byte_of_a_branch_is_bound_its_children_s_places_too():
    lines = Lines()
    lines.move([f"m-{n}" for n in range(60)], 1)
    true = lines.written[-1]
    for place in range(len(true)):
        lines.written[-1] = true[:place] + bytes([true[place] ^ 1]) + true[place + 1 :]
        with pytest.raises(IntegrityError, match=f"byte {len(lines.written) - 1} of the leaves"):
            lines.tree("m-1")


def test_repeated_leaves_change_no_leaf_s_value_and_are_bound_where_they_are():
    lines = Lines()
    everybody = [f"m-{n}" for n in range(300)]
    lines.move(everybody, 1)
    start = BEGINNING
    for _ in range(8):
        first, places = len(lines.written), places_to_carry(start, 100, 300)
        tree = MerchantTree(SEED, lines.root, everybody[:2], lines.read, places)
        assert all(
            each in everybody[:2] or places.meet(place_of(SEED, each)) for each in tree.in_order()
        )
        for each in tree.in_order():
            tree.put(each, lines.again(tree.leaves[each]))
        lines.root = tree.write(lines.add)
        assert lines.root.value == defined(lines)
        start = places.next_start
        # Nothing at these places is read from an earlier line any more.
        before, lines.oldest = lines.oldest, first
        MerchantTree(SEED, lines.root, [], lines.read, places)
        lines.oldest = before
    assert start == BEGINNING


def root_with(*child: Any) -> tuple[SealedLine, bytes]:
    """A root in manifest 1, with one child."""
    document = {"leaf": "branch", "prefix": "", "children": [child], "blind": ""}
    line = canonical(document)
    with contextlib.suppress(ValueError, TypeError):
        return SealedLine(value_of_line(line, document), 1, 0, len(line)), line
    return SealedLine(bytes(32), 1, 0, len(line)), line


@pytest.mark.parametrize(
    ("number", "value"),
    [(1, "0"), (1, "0" * 62), (1, None), (2, 0), (2, True), (2, "1"), (2, 10**8), (3, -1),
     (3, 1.0), (3, "12"), (4, 0), (4, -10), (4, []), (3, 2**28), (0, "x"), (0, "10"), (0, "")],
)  # fmt: skip
def test_a_child_at_an_impossible_place_is_refused(number, value):
    child: list[Any] = ["0", "0" * 64, 1, 0, 10]
    child[number] = value
    root, line = root_with(*child)
    with pytest.raises(IntegrityError, match="byte 0 of the leaves of manifest 1 cannot be parsed"):
        MerchantTree(SEED, root, ["m-1"], lambda _: [line])


def test_a_child_in_a_later_manifest_than_its_branch_is_refused():
    root, line = root_with("0", "0" * 64, 2, 0, 10)
    with pytest.raises(IntegrityError, match="names a line of a later manifest"):
        MerchantTree(SEED, root, ["m-1"], lambda _: [line])


def test_a_branch_that_is_written_again_shows_nobody_which_of_its_children_changed():
    lines = Lines()
    everybody = [f"m-{n}" for n in range(12)]
    lines.move(everybody, 1)
    before = lines.tree("m-0").path("m-0")
    lines.move(["m-0"], 2)
    assert not set(before[-6:]) & set(lines.tree("m-0").path("m-0")[-6:])
