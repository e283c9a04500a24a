"""What all objects add up to that are sealed so far: of one merchant, and of the whole log."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.sealed_sums import (
    SealedSum,
    SealedSums,
    read_sum,
    read_sums,
    written_sums,
)

NO_CHAIN: Final = "0" * 64
# By currency, stage and type.
LogTotals = Mapping[tuple[str, str, str], SealedSum]


@dataclass(slots=True)
class MerchantTotals:
    """The totals of one merchant over all manifests so far. `chain` binds the leaves of all its
    objects, in the order in which they were sealed.
    """

    objects: int = 0
    chain: str = NO_CHAIN
    totals: SealedSums = field(default_factory=dict)

    @classmethod
    def read_line(cls, line: bytes | None) -> Self:
        """The totals in a merchant's leaf; no totals yet without a leaf."""
        if line is None:
            return cls()
        leaf = json.loads(line)
        return cls(leaf["objects"], leaf["chain"], read_sums(leaf["sums"]))

    def add(self, hashed: bytes, totals: SealedSums) -> None:
        """`hashed`: the hash of the object's leaf."""
        self.objects += 1
        self.chain = sha256(bytes.fromhex(self.chain) + hashed).hexdigest()
        for key, total in totals.items():
            self.totals[key] = total.plus(self.totals.get(key))

    def leaf(self, merchant_id: str) -> dict[str, Any]:
        return {
            "leaf": "merchant",
            "merchant_id": merchant_id,
            "objects": self.objects,
            "chain": self.chain,
            "sums": written_sums(self.totals),
        }


def with_objects(before: LogTotals, objects: Iterable[SealedSums]) -> LogTotals:
    totals = dict(before)
    for each in objects:
        for kind, total in each.items():
            name = (kind.currency, kind.stage, kind.type)
            totals[name] = total.plus(totals.get(name))
    return totals


def total_leaves(totals: LogTotals) -> Iterator[dict[str, Any]]:
    """A leaf by currency, stage and type: some thousands at most, whatever the log's age."""
    for (currency, stage, kind), total in sorted(totals.items()):
        yield {
            "leaf": "total",
            "currency": currency,
            "stage": stage,
            "type": kind,
            "amount": at_full_scale(total.minor, total.exponent),
            "lines": total.lines,
        }


def read_log_totals(leaves: Iterable[Mapping[str, Any]]) -> LogTotals:
    """Raises KeyError, TypeError or ValueError for leaves that are not written so."""
    return {
        (each["currency"], each["stage"], each["type"]): read_sum(each["amount"], each["lines"])
        for each in leaves
    }
