"""The leaf of an object in a manifest: what was sealed of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Self

from falcon_balances.domain.operations import Segment
from falcon_balances.domain.sealed_sums import (
    SealedKind,
    SealedSum,
    SealedSums,
    written_sums,
)

# No amount in the log comes near this, so no sum has more digits than Python prints (4,300).
_MINOR_MAX: Final = 10**19


@dataclass(frozen=True, slots=True)
class SealedObject:
    """One version of one key, with the sums of its lines; no sums if it has a `flaw`."""

    key: str
    version_id: str
    size: int
    sha256: str
    totals: SealedSums
    flaw: str | None = None

    @classmethod
    def of(cls, key: str, version_id: str, body: bytes, read: Segment | str) -> Self:
        """`read`: the segment in the bytes, or what is wrong with them."""
        digest = sha256(body).hexdigest()
        if not isinstance(read, str) and any(
            abs(line.amount.minor) >= _MINOR_MAX for line in read.lines
        ):
            read = "an amount is too large to add up"
        if isinstance(read, str):
            return cls(key, version_id, len(body), digest, {}, read)
        totals: SealedSums = {}
        for line in read.lines:
            name = SealedKind(line.balance_shop_id, line.currency.code, read.stage, line.type)
            line_total = SealedSum(line.amount.minor, line.currency.exponent, 1)
            totals[name] = line_total.plus(totals.get(name))
        return cls(key, version_id, len(body), digest, totals)

    def leaf(self) -> bytes:
        said: dict[str, Any] = {
            "leaf": "object",
            "key": self.key,
            "version_id": self.version_id,
            "size": self.size,
            "sha256": self.sha256,
            "lines": sum(each.lines for each in self.totals.values()),
            "sums": written_sums(self.totals),
        }
        return canonical(said if self.flaw is None else said | {"flaw": self.flaw})


def canonical(document: Mapping[str, Any]) -> bytes:
    """Canonical JSON: sorted keys, no spaces, ASCII, so each document has one form."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
