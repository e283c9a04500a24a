"""Proofs for one merchant: its leaves of every manifest, each with the path to a signed root."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.log_format import merchant_of
from falcon_balances.domain.merkle import leaf_hash, levels_of, path_of


def prove(merchant_id: str, manifests: Sequence[Path]) -> dict[str, Any]:
    """The document that `check-proof` takes. `manifests` in order; the last says what there is.

    It holds nothing of other merchants but hashes that nobody can guess the contents of.
    Raises IntegrityError where the merchant was never sealed, or a manifest is none.
    """
    parts = [_part(merchant_id, path, is_last=path == manifests[-1]) for path in manifests]
    if not parts or not parts[-1]["leaves"]:
        raise IntegrityError(f"nothing of merchant {merchant_id[:80]} was sealed")
    return {"merchant_id": merchant_id, "manifests": [each for each in parts if each["leaves"]]}


def _part(merchant_id: str, path: Path, *, is_last: bool) -> dict[str, Any]:
    """Every manifest repeats what all of them add up to for a merchant: the last one's counts."""
    try:
        head, signature, *leaves = path.read_bytes().removesuffix(b"\n").split(b"\n")
        places, claim = _own_leaves(merchant_id, leaves)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path.name} is no manifest") from error
    if is_last and claim is not None:
        places.append(claim)
    return proved_part(head, signature, leaves, places)


def proved_part(
    head: bytes, signature: bytes, leaves: Sequence[bytes], places: Sequence[int]
) -> dict[str, Any]:
    """A manifest's head, and the leaves at these places, each with its path to the root."""
    levels = levels_of([leaf_hash(leaf) for leaf in leaves]) if places else []
    return {
        "head": head.decode("ascii"),
        "signature": signature.decode("ascii"),
        "leaves": [
            {
                "leaf": leaves[place].decode("ascii"),
                "path": [[side, value.hex()] for side, value in path_of(levels, place)],
            }
            for place in places
        ],
    }


def _own_leaves(merchant_id: str, leaves: Sequence[bytes]) -> tuple[list[int], int | None]:
    """The places of the merchant's objects, and of its own leaf."""
    own: list[int] = []
    claim = None
    name = merchant_id.encode()
    for place, leaf in enumerate(leaves):
        if name not in leaf:
            continue
        document = json.loads(leaf)
        if document["leaf"] == "merchant" and document["merchant_id"] == merchant_id:
            claim = place
        elif document["leaf"] == "object" and merchant_of(document["key"]) == merchant_id:
            own.append(place)
    return own, claim
