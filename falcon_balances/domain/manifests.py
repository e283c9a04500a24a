"""Manifests: what was in the log when it was sealed, so that no change goes unnoticed.

A manifest is a text of lines. The first is its head, the second the head's signature, all others
are the leaves of a Merkle tree (RFC 9162) whose root is in the head. Each head has the hash of the
previous head. `docs/manifests.md` describes the format for authors of verifiers.
"""

import binascii
import hmac
import json
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.merkle import leaf_hash, root_of
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.sealed_shards import SealedShards, read_shards, shard_leaves
from falcon_balances.domain.sealed_sums import (
    SealedKind,
    SealedSum,
    SealedSums,
    read_sums,
    written_sums,
)

SCHEMA_VERSION: Final = "1"
ALGORITHM: Final = "ECDSA_SHA_256"
FOLDER: Final = "manifests/"
SEQUENCE_MAX: Final = 99_999_999
_KEY = re.compile(rf"{FOLDER}([0-9]{{8}})\.jsonl\Z")
# A DER signature of P-256 has at most 72 bytes.
_SIGNATURE = re.compile(
    rb'\{"algorithm":"%s","signature":"([A-Za-z0-9+/]{4,96}={0,2})"\}\Z' % ALGORITHM.encode()
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


@dataclass(slots=True)
class MerchantTotals:
    """The totals of one merchant over all manifests so far."""

    objects: int = 0
    totals: SealedSums = field(default_factory=dict)

    def add(self, sealed: SealedObject) -> None:
        self.objects += 1
        for key, total in sealed.totals.items():
            self.totals[key] = total.plus(self.totals.get(key))


@dataclass(frozen=True, slots=True)
class Head:
    """The signed line. Each merchant sees it with its own leaves, so it holds no counts.

    `log` is the bucket. Objects that were counted by the cut of `sealed_until` are in this manifest
    or an earlier one; this manifest can also have objects that were counted later.
    """

    log: str
    sequence: int
    previous: str | None
    sealed_until: str
    root: str

    def line(self) -> bytes:
        return canonical({"schema_version": SCHEMA_VERSION} | asdict(self))

    @classmethod
    def read(cls, line: bytes) -> Self:
        """The head in a line. Raises IntegrityError for any other line."""
        try:
            said = json.loads(line)
            del said["schema_version"]
            head = cls(**said)
        except (ValueError, TypeError, KeyError) as error:
            raise IntegrityError("the head of a manifest cannot be parsed") from error
        if head.line() != line:
            raise IntegrityError("the head of a manifest is not canonical")
        return head

    @property
    def hash(self) -> str:
        return sha256(self.line()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sealed:
    """How far a log is sealed: the last head, and the totals and the journals until then."""

    head: Head | None = None
    objects: int = 0
    merchants: Mapping[str, MerchantTotals] = field(default_factory=dict)
    shards: SealedShards = field(default_factory=dict)

    @classmethod
    def read(cls, manifest: bytes) -> Self:
        """Reads the last manifest. Raises IntegrityError if this code did not write it."""
        try:
            first, _signature, *leaves = manifest.removesuffix(b"\n").split(b"\n")
            head = Head.read(first)
            if root_of(map(leaf_hash, leaves)).hex() != head.root:
                raise IntegrityError("the last manifest's root is wrong")
            documents = [json.loads(leaf) for leaf in leaves]
            objects = documents[0]["objects_total"]
            merchants = {
                each["merchant_id"]: MerchantTotals(each["objects"], read_sums(each["sums"]))
                for each in documents
                if each["leaf"] == "merchant"
            }
            shards = read_shards(documents)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise IntegrityError("the last manifest cannot be parsed") from error
        return cls(head, objects, merchants, shards)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest before it is signed."""

    head: Head
    leaves: Sequence[bytes]

    @property
    def key(self) -> str:
        return manifest_key(self.head.sequence)

    def signed(self, signature_base64: str) -> bytes:
        signature = canonical({"algorithm": ALGORITHM, "signature": signature_base64})
        return b"\n".join([self.head.line(), signature, *self.leaves, b""])


def signed_head(manifest: bytes) -> tuple[bytes, bytes]:
    """The head's line and its signature (DER), to be verified before the rest is read.

    Raises IntegrityError if there is no signature.
    """
    head, _, rest = manifest.partition(b"\n")
    written = _SIGNATURE.match(rest.partition(b"\n")[0])
    try:
        if written is not None:
            return head, b64decode(written[1], validate=True)
    except binascii.Error:
        pass
    raise IntegrityError("the last manifest has no signature")


def sealed_in(manifest: bytes) -> Iterator[tuple[str, str]]:
    """Key and SHA-256 of each object in a manifest that this code wrote."""
    for leaf in manifest.split(b"\n")[2:]:
        if b'"leaf":"object"' in leaf:
            said = json.loads(leaf)
            yield said["key"], said["sha256"]


def manifest_key(sequence: int) -> str:
    return f"{FOLDER}{sequence:08}.jsonl"


def sequence_of(key: str) -> int | None:
    found = _KEY.match(key)
    return None if found is None else int(found[1])


def seal(
    log: str,
    before: Sealed,
    objects: Iterable[SealedObject],
    sealed_until: str,
    blinding: bytes,
    shards: SealedShards,
) -> tuple[Manifest, Sealed]:
    """The next manifest, and how far the log is sealed with it. `objects` are the new objects, and
    `shards` say how far the journals are sealed with them.

    `blinding` is 32 random bytes that are not kept: without them, the contents of a neighbour's
    leaf could be guessed from its hash in a proof.
    """
    new = sorted(objects, key=lambda each: (each.key, each.version_id))
    merchants = {
        name: MerchantTotals(each.objects, dict(each.totals))
        for name, each in before.merchants.items()
    }
    for each in new:
        merchants.setdefault(merchant_of(each.key) or "", MerchantTotals()).add(each)
    counted = {"objects": len(new), "objects_total": before.objects + len(new)}
    said: list[dict[str, Any]] = [
        {"leaf": "summary", **counted},
        *_total_leaves(merchants),
        *_merchant_leaves(merchants),
        *shard_leaves(before.shards, shards),
    ]
    leaves = [_blinded(document, number, blinding) for number, document in enumerate(said)]
    leaves += [each.leaf() for each in new]
    last = before.head
    head = Head(
        log=log,
        sequence=1 if last is None else last.sequence + 1,
        previous=None if last is None else last.hash,
        sealed_until=sealed_until,
        root=root_of(map(leaf_hash, leaves)).hex(),
    )
    return Manifest(head, leaves), Sealed(head, counted["objects_total"], merchants, shards)


def _blinded(document: Mapping[str, Any], number: int, blinding: bytes) -> bytes:
    blind = hmac.digest(blinding, str(number).encode(), "sha256").hex()
    return canonical({**document, "blind": blind})


def _total_leaves(merchants: Mapping[str, MerchantTotals]) -> list[dict[str, Any]]:
    """Leaves with the totals of the whole log by currency, stage and type."""
    totals: dict[tuple[str, str, str], SealedSum] = {}
    for merchant in merchants.values():
        for key, total in merchant.totals.items():
            name = (key.currency, key.stage, key.type)
            totals[name] = total.plus(totals.get(name))
    return [
        {
            "leaf": "total",
            **dict(zip(("currency", "stage", "type"), name, strict=True)),
            "amount": at_full_scale(total.minor, total.exponent),
            "lines": total.lines,
        }
        for name, total in sorted(totals.items())
    ]


def _merchant_leaves(merchants: Mapping[str, MerchantTotals]) -> list[dict[str, Any]]:
    return [
        {
            "leaf": "merchant",
            "merchant_id": merchant_id,
            "objects": each.objects,
            "sums": written_sums(each.totals),
        }
        for merchant_id, each in sorted(merchants.items())
    ]


def canonical(document: Mapping[str, Any]) -> bytes:
    """Canonical JSON: sorted keys, no spaces, ASCII, so each document has one form."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
