"""Makes the proof of one merchant: the merchant's leaves in every manifest, each with its path to a
signed root.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from falcon_balances.audit.verifier.files import MANIFEST_MAX_BYTES, read_plain
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.merkle import leaf_hash, levels_of, path_of


def prove(merchant_id: str, manifests: Sequence[Path]) -> dict[str, Any]:
    """The document for `check-proof`. `manifests`: all, from the first on; totals are those of the
    last one.

    The document has nothing of other merchants except hashes whose contents nobody can guess, and
    the heads of all manifests, which bind each part to the last one. Raises IntegrityError if the
    merchant was never sealed, or a manifest cannot be read or is missing; OSError if a file cannot
    be read.
    """
    heads: list[str] = []
    parts: list[dict[str, Any]] = []
    for number, path in enumerate(manifests, start=1):
        if path.name != f"{number:08}.jsonl":
            raise IntegrityError(f"{number:08}.jsonl is missing")
        part = _part(merchant_id, path, is_last=path == manifests[-1])
        heads.append(part["head"])
        parts.append(part)
    if not parts or not parts[-1]["leaves"]:
        raise IntegrityError(f"no object of merchant {merchant_id[:80]} was sealed")
    return {
        "merchant_id": merchant_id,
        "heads": heads,
        "manifests": [each for each in parts if each["leaves"]],
    }


def _part(merchant_id: str, path: Path, *, is_last: bool) -> dict[str, Any]:
    """One manifest's part of the proof. Every manifest repeats the merchant's totals, so only the
    last manifest's totals are proved.
    """
    text = read_plain(path, MANIFEST_MAX_BYTES)
    try:
        head, signature, *leaves = text.decode("ascii").removesuffix("\n").split("\n")
        places, claim = _own_leaves(merchant_id, leaves)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{path.name} is not a manifest") from error
    if is_last and claim is not None:
        places.append(claim)
    return proved_part(head, signature, leaves, places)


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


def _own_leaves(merchant_id: str, leaves: Sequence[str]) -> tuple[list[int], int | None]:
    """The places of the merchant's objects, and of its own leaf."""
    own: list[int] = []
    claim = None
    for place, leaf in enumerate(leaves):
        if merchant_id not in leaf:
            continue
        document = json.loads(leaf)
        if document["leaf"] == "merchant" and document["merchant_id"] == merchant_id:
            claim = place
        elif document["leaf"] == "object" and merchant_of(document["key"]) == merchant_id:
            own.append(place)
    return own, claim
