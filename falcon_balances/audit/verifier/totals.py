"""Checks the leaves of a manifest with the totals of all objects so far."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from .chain import ReadManifest
from .findings import Discrepancy, NotWrittenSoError, Problems
from .hashing import canonical, leaf_hash, read_json
from .leaves import CheckedLeaves
from .merchants import Leaf, LineAt, MerchantTree, place_of
from .shards import Shards
from .sums import Tallies, add_all, at_scale

LINES_BEFORE_LEAVES = 3  # head and signature, and lines begin with 1
NO_CHAIN = "0" * 64
PLACE = re.compile(r"[0-9a-f]{8}\Z")
DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Totals:
    """What all objects so far add up to, and the leaves that must say so. Each manifest has a leaf
    for each merchant of its objects; the tree binds those of all others.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self.sums: dict[str, Tallies] = {}
        """By merchant."""
        self._all: Tallies = {}
        self._objects: dict[str, int] = {}
        self._objects_total = 0
        self._chains: dict[str, str] = {}
        self._moved: set[str] = set()
        """The merchants of the manifest that is being read."""
        self._repeated: set[str] = set()
        """Merchants that did not move, and have a leaf in that manifest."""
        self._unsummed: set[str] = set()
        """Merchants with a leaf that cannot be added up: their sums cannot be checked from then on.
        """
        self._seed: str | None = None
        self._tree = MerchantTree()
        self._shards = Shards()

    def add(self, checked: CheckedLeaves) -> None:
        """Adds leaves of objects, in their order."""
        self._unsummed |= checked.unsummed
        for merchant, hashes in checked.merchants.items():
            self._moved.add(merchant)
            self._objects[merchant] = self._objects.get(merchant, 0) + len(hashes)
            self._objects_total += len(hashes)
            self._chains[merchant] = chained(self._chains.get(merchant, NO_CHAIN), hashes)
        for merchant, sums in checked.sums.items():
            add_all(self.sums.setdefault(merchant, {}), sums)
            for (_, currency, stage, kind), total in sums.items():
                add_all(self._all, {("", currency, stage, kind): total})

    def check(self, manifest: ReadManifest, first: int, *, is_rooted: bool) -> None:
        """Checks that the leaves before the object leaf `first` are exactly what follows from all
        objects so far.

        If a merchant's sums cannot be read, only its number of objects is checked, and the totals
        of the log are not. Unless the leaves hash to the signed root (`is_rooted`), which is
        reported already, the running hash over objects' leaves is not compared.
        """
        leaves = list(self._read(manifest, first))
        expected = {
            self._countable(each, is_rooted=is_rooted)
            for each in self._expected(len(manifest.leaves) - first, leaves)
        }
        for each in leaves:
            self._compare(each, expected, is_rooted=is_rooted)
        self._problems += self._shards.missing(manifest.place)
        for said in sorted(each for each in expected if each is not None):
            self._say(
                manifest.place,
                f"it has no leaf for what the objects add up to: {said.decode()[:200]}",
            )
        if self._seed is None:
            self._say(manifest.place, "no summary has the seed of the merchants' places")
        self._check_tree(manifest.place, leaves)
        self._moved, self._repeated = set(), set()

    def _read(self, manifest: ReadManifest, first: int) -> Iterator[Leaf]:
        offset = 0
        for number, line in enumerate(manifest.leaves[:first], start=LINES_BEFORE_LEAVES):
            place = f"{manifest.place}, line {number}"
            at = LineAt(manifest.head["sequence"], offset, len(line))
            offset += len(line) + 1
            try:
                document = read_json(line)
            except NotWrittenSoError as error:
                self._say(place, str(error))
                continue
            blind = document.pop("blind", None)
            if not is_digest(blind):
                self._say(place, "a leaf has no blind of 64 hexadecimal digits")
                blind = NO_CHAIN
            yield Leaf(place, line, at, blind, document)

    def _carried_in(self, leaves: list[Leaf]) -> str:
        """Up to which place leaves are repeated: any place is right."""
        said = (each.document for each in leaves if each.document.get("leaf") == "summary")
        return next((str(each["carried"]) for each in said if is_place(each.get("carried"))), "")

    def _expected(self, new: int, leaves: list[Leaf]) -> Iterator[dict[str, Any]]:
        """Summary, totals and merchants, without their blinds."""
        if self._seed is None:
            said = (each.document for each in leaves if each.document.get("leaf") == "summary")
            seeds = [each.get("seed") for each in said]
            self._seed = next((each for each in seeds if is_digest(each)), None)
        yield {
            "leaf": "summary",
            "objects": new,
            "objects_total": self._objects_total,
            "merchants": len(self._objects),
            "carried": self._carried_in(leaves),
            # Without a seed, no summary is right.
            "seed": self._seed or "",
        }
        for (_, currency, stage, kind), (minor, decimals, lines) in self._all.items():
            yield {
                "leaf": "total",
                "currency": currency,
                "stage": stage,
                "type": kind,
                "amount": at_scale(minor, decimals),
                "lines": lines,
            }
        for each in self._moved:
            yield merchant_leaf(
                each, self._objects[each], self._chains[each], self.sums.get(each, {})
            )

    def _compare(self, leaf: Leaf, expected: set[bytes | None], *, is_rooted: bool) -> None:
        document = leaf.document
        kind = document.get("leaf")
        if kind == "shard":
            self._problems += self._shards.problems(leaf.place, document)
        elif kind == "merchant" and self._is_repeated(leaf):
            self._place(str(document["merchant_id"]), leaf)
        elif kind not in ("branch", "merchants"):
            said = self._countable(document, is_rooted=is_rooted)
            if said in expected:
                # Several leaves can be None: totals that cannot be checked.
                expected.discard(said)
            elif said is not None:
                self._say(leaf.place, f"the objects do not add up to this {str(kind)[:20]}")
        merchant = document.get("merchant_id")
        if kind == "merchant" and isinstance(merchant, str) and merchant in self._moved:
            self._place(merchant, leaf)

    def _is_repeated(self, leaf: Leaf) -> bool:
        """Whether it is, with every byte, the latest leaf of a merchant that did not move."""
        merchant = leaf.document.get("merchant_id")
        if self._seed is None or not isinstance(merchant, str):
            return False
        if merchant in self._moved or merchant not in self._objects or merchant in self._repeated:
            return False
        self._repeated.add(merchant)
        return self._tree.value_at(place_of(self._seed, merchant)) == leaf_hash(leaf.line)

    def _place(self, merchant: str, leaf: Leaf) -> None:
        chain = leaf.document.get("chain")
        if is_digest(chain):
            self._chains[merchant] = str(chain)
        if self._seed is not None:
            self._tree.put(place_of(self._seed, merchant), (leaf_hash(leaf.line), leaf.at))

    def _countable(self, document: Mapping[str, Any], *, is_rooted: bool) -> bytes | None:
        """The leaf as written, without what cannot be checked; None for such a total."""
        kind = document.get("leaf")
        if self._unsummed and kind == "total":
            return None
        if kind == "merchant":
            document = document if is_rooted else {**document, "chain": None}
            if str(document.get("merchant_id")) in self._unsummed:
                document = {**document, "sums": []}
        return canonical(document)

    def _check_tree(self, place: str, leaves: list[Leaf]) -> None:
        """Checks branches, and the root of the tree of merchants."""
        branches: dict[str, Leaf] = {}
        roots = []
        for each in leaves:
            kind, prefix = each.document.get("leaf"), each.document.get("prefix")
            if kind == "merchants":
                roots.append(each)
            elif kind == "branch" and isinstance(prefix, str) and prefix not in branches:
                branches[prefix] = each
            elif kind == "branch":
                self._say(each.place, "a branch occurs twice, or has no prefix")
        self._problems += self._tree.problems(place, branches)
        right = {"leaf": "merchants", "root": self._tree.root}
        if len(roots) != 1:
            self._say(place, "it must have one leaf with the root of the tree of merchants")
        elif roots[0].document != right:
            self._say(roots[0].place, "not the root of the tree of merchants")

    def _say(self, place: str, what: str) -> None:
        self._problems.append(Discrepancy(place, what))


def is_digest(text: Any) -> bool:  # noqa: ANN401 - unchecked JSON
    return isinstance(text, str) and DIGEST.match(text) is not None


def is_place(text: Any) -> bool:  # noqa: ANN401 - unchecked JSON
    return isinstance(text, str) and PLACE.match(text) is not None


def chained(chain: str, hashes: list[bytes]) -> str:
    """The running hash over the leaves of a merchant's objects."""
    value = bytes.fromhex(chain)
    for each in hashes:
        value = sha256(value + each).digest()
    return value.hex()


def merchant_leaf(merchant: str, objects: int, chain: str, sums: Tallies) -> dict[str, Any]:
    written = [
        [*key, at_scale(minor, decimals), lines]
        for key, (minor, decimals, lines) in sorted(sums.items())
    ]
    return {
        "leaf": "merchant",
        "merchant_id": merchant,
        "objects": objects,
        "chain": chain,
        "sums": written,
    }
