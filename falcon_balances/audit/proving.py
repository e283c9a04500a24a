"""Makes the proof of one merchant: its leaf with the path to a signed root, and its objects."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from falcon_balances.audit.verifier.files import MANIFEST_MAX_BYTES, read_plain
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.manifests import Sealed
from falcon_balances.domain.merchant_branch import SealedLine
from falcon_balances.domain.merchant_tree import MerchantTree
from falcon_balances.domain.merkle import leaf_hash, levels_of, path_of


def prove(merchant_id: str, manifests: Sequence[Path]) -> dict[str, Any]:
    """The document for `check-proof`. `manifests`: all, from the first on; totals are those of the
    last one.

    The document has nothing of other merchants except hashes whose contents nobody can guess. It
    grows with the merchant's own objects only. Raises IntegrityError if the merchant was never
    sealed, or a manifest cannot be read or is missing; OSError if a file cannot be read.
    """
    objects: list[str] = []
    for number, path in enumerate(manifests, start=1):
        if path.name != f"{number:08}.jsonl":
            raise IntegrityError(f"{number:08}.jsonl is missing")
        objects += _own_leaves(merchant_id, path)
    if not manifests:
        raise IntegrityError("there is no manifest")
    return _claim(merchant_id, manifests) | {"merchant_id": merchant_id, "objects": objects}


def _own_leaves(merchant_id: str, path: Path) -> Iterator[str]:
    """The leaves of the merchant's objects, in their order."""
    try:
        _head, _signature, *leaves = _text(path).removesuffix("\n").split("\n")
        for leaf in leaves:
            if merchant_id not in leaf:
                continue
            document = json.loads(leaf)
            if document["leaf"] == "object" and merchant_of(document["key"]) == merchant_id:
                yield leaf
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{path.name} is not a manifest") from error


def _claim(merchant_id: str, manifests: Sequence[Path]) -> dict[str, Any]:
    """The last manifest's head, and the paths from the merchant's leaf to its root."""
    last = _text(manifests[-1])
    head, signature, *leaves = last.removesuffix("\n").split("\n")
    sealed = Sealed.read(last.encode())
    place = next(n for n, leaf in enumerate(leaves) if '"leaf":"merchants"' in leaf)

    def read(wanted: Sequence[SealedLine]) -> Iterator[bytes]:
        return (_line(manifests, each) for each in wanted)

    tree = MerchantTree(sealed.seed or "", sealed.root, [merchant_id], read)
    if merchant_id not in tree.leaves:
        raise IntegrityError(f"no object of merchant {merchant_id[:80]} was sealed")
    leaf = tree.leaves[merchant_id].decode()
    path = [[side, value.hex()] for side, value in tree.path(merchant_id)]
    of_all = proved_part(head, signature, leaves, [place])
    return {
        "head": head,
        "signature": signature,
        "merchants": of_all["leaves"][0],
        "merchant": {"leaf": leaf, "path": path},
    }


def _text(path: Path) -> str:
    return read_plain(path, MANIFEST_MAX_BYTES).decode("ascii")


def _line(manifests: Sequence[Path], at: SealedLine) -> bytes:
    if at.sequence > len(manifests):
        raise IntegrityError(f"{at} is named, but that manifest is missing")
    leaves = read_plain(manifests[at.sequence - 1], MANIFEST_MAX_BYTES).split(b"\n", 2)[-1]
    return leaves[at.offset : at.offset + at.size]


def proved_part(
    head: str, signature: str, leaves: Sequence[str], places: Sequence[int]
) -> dict[str, Any]:
    """A manifest's head, and the leaves at these places, each with its path to the root."""
    levels = levels_of([leaf_hash(leaf.encode()) for leaf in leaves]) if places else []
    return {
        "head": head,
        "signature": signature,
        "leaves": [
            {
                "leaf": leaves[place],
                "path": [[side, value.hex()] for side, value in path_of(levels, place)],
            }
            for place in places
        ],
    }
