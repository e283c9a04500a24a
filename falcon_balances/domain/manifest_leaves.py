"""The leaves of a manifest before those of objects, one after the other, each with its place."""

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from falcon_balances.domain.merchant_branch import SealedLine, value_of_line
from falcon_balances.domain.merchant_tree import MerchantTree
from falcon_balances.domain.merkle import leaf_hash
from falcon_balances.domain.sealed_objects import SealedObject, canonical
from falcon_balances.domain.sealed_totals import MerchantTotals


class ManifestLeaves:
    """`placed` are the lines of merchants and branches among `lines`."""

    def __init__(self, sequence: int, blinding: bytes) -> None:
        self._sequence = sequence
        self._blinding = blinding
        self._size = 0
        self.lines: list[bytes] = []
        self.placed: dict[SealedLine, bytes] = {}

    def add(self, document: Mapping[str, Any]) -> None:
        self._append(self._blinded(document))

    def add_merchants(
        self,
        tree: MerchantTree,
        moved: Mapping[str, Sequence[bytes]],
        new: Mapping[bytes, SealedObject],
    ) -> SealedLine:
        """The leaves of merchants that moved, with the leaves of their objects, and those to
        repeat; then the branches above them. Returns the root, which is the last.
        """
        for merchant_id in tree.in_order():
            line = tree.leaves.get(merchant_id)
            if line is not None and merchant_id not in moved:
                tree.put(merchant_id, self._place(line))
                continue
            totals = MerchantTotals.read_line(line)
            for leaf in moved[merchant_id]:
                totals.add(leaf_hash(leaf), new[leaf].totals)
            tree.put(merchant_id, self._add_placed(totals.leaf(merchant_id)))
        return tree.write(self._add_placed)

    def _add_placed(self, document: Mapping[str, Any]) -> SealedLine:
        """Adds the leaf of a merchant or a branch, and says where it is."""
        return self._place(self._blinded(document))

    def _blinded(self, document: Mapping[str, Any]) -> bytes:
        number = str(len(self.lines)).encode()
        blind = hmac.digest(self._blinding, number, "sha256").hex()
        return canonical({**document, "blind": blind})

    def _place(self, line: bytes) -> SealedLine:
        value = value_of_line(line, json.loads(line))
        at = SealedLine(value, self._sequence, self._size, len(line))
        self._append(line)
        self.placed[at] = line
        return at

    def _append(self, line: bytes) -> None:
        self.lines.append(line)
        self._size += len(line) + 1
