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

from falcon_balances.domain.carried_places import BEGINNING, places_to_carry, start_of
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.manifest_leaves import ManifestLeaves
from falcon_balances.domain.merchant_branch import UNREADABLE, SealedLine, value_of_line
from falcon_balances.domain.merchant_tree import MerchantTree, ReadLines, remembering
from falcon_balances.domain.merkle import leaf_hash, root_of
from falcon_balances.domain.sealed_objects import SealedObject, canonical
from falcon_balances.domain.sealed_shards import SealedShards, read_shards, shard_leaves
from falcon_balances.domain.sealed_totals import (
    LogTotals,
    read_log_totals,
    total_leaves,
    with_objects,
)

SCHEMA_VERSION: Final = "1"
ALGORITHM: Final = "ECDSA_SHA_256"
FOLDER: Final = "manifests/"
OBJECT_LEAF: Final = b'"leaf":"object"'
_KEY = re.compile(rf"{FOLDER}([0-9]{{8}})\.jsonl\Z")
# A DER signature of P-256 has at most 72 bytes.
_SIGNATURE = re.compile(
    rb'\{"algorithm":"%s","signature":"([A-Za-z0-9+/]{4,96}={0,2})"\}\Z' % ALGORITHM.encode()
)


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
        except UNREADABLE as error:
            raise IntegrityError("the head of a manifest cannot be parsed") from error
        if head.line() != line:
            raise IntegrityError("the head of a manifest is not canonical")
        return head

    @property
    def hash(self) -> str:
        return sha256(self.line()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sealed:
    """How far a log is sealed: the last head, and everything that the next manifest goes on from.

    `merchants`: how many merchants have a leaf. `carried`: the place up to which leaves were
    repeated. `lines`: those of merchants and branches in the last manifest, so that a seal need not
    read them again.
    """

    head: Head | None = None
    objects: int = 0
    merchants: int = 0
    carried: str = BEGINNING
    totals: LogTotals = field(default_factory=dict)
    shards: SealedShards = field(default_factory=dict)
    seed: str | None = None
    root: SealedLine | None = None
    lines: Mapping[SealedLine, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, manifest: bytes) -> Self:
        """Reads the last manifest. Raises IntegrityError if this code did not write it."""
        try:
            first, _signature, *leaves = manifest.removesuffix(b"\n").split(b"\n")
            head = Head.read(first)
            if root_of(map(leaf_hash, leaves)).hex() != head.root:
                raise IntegrityError("the last manifest's root is wrong")
            return cls._of(head, leaves)
        except (*UNREADABLE, IndexError) as error:
            raise IntegrityError("the last manifest cannot be parsed") from error

    @classmethod
    def _of(cls, head: Head, leaves: Sequence[bytes]) -> Self:
        lines: dict[SealedLine, bytes] = {}
        documents: list[dict[str, Any]] = []
        offset = 0
        for leaf in leaves:
            if OBJECT_LEAF in leaf:
                break
            document = json.loads(leaf)
            documents.append(document)
            if document["leaf"] in {"merchant", "branch"}:
                value = value_of_line(leaf, document)
                lines[SealedLine(value, head.sequence, offset, len(leaf))] = leaf
            offset += len(leaf) + 1
        summary, (merchants,) = documents[0], _of_kind(documents, "merchants")
        root = [*lines][-1]
        if root.value.hex() != merchants["root"]:
            raise IntegrityError("the last manifest's tree of merchants is wrong")
        return cls(
            head,
            summary["objects_total"],
            summary["merchants"],
            start_of(summary["carried"]),
            read_log_totals(_of_kind(documents, "total")),
            read_shards(documents),
            summary["seed"],
            root,
            lines,
        )


def _of_kind(documents: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in documents if each["leaf"] == kind]


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
    """Key and SHA-256 of each object in a manifest. Raises IntegrityError if this code did not
    write it.
    """
    for leaf in manifest.split(b"\n")[2:]:
        if OBJECT_LEAF in leaf:
            try:
                said = json.loads(leaf)
                key, digest = said["key"], said["sha256"]
            except UNREADABLE as error:
                raise IntegrityError("an earlier manifest cannot be parsed") from error
            yield key, digest


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
    read: ReadLines,
) -> tuple[Manifest, Sealed]:
    """The next manifest, and how far the log is sealed with it. `objects` are the new objects, and
    `shards` say how far the journals are sealed with them; `read` reads earlier manifests' lines.

    `blinding` is 32 random bytes that are not kept: without them, the contents of a neighbour's
    leaf could be guessed from its hash in a proof.
    """
    new = {
        each.leaf(): each for each in sorted(objects, key=lambda each: (each.key, each.version_id))
    }
    moved = _by_merchant(new)
    seed = before.seed or hmac.digest(blinding, b"seed", "sha256").hex()
    places = places_to_carry(before.carried, len(moved), before.merchants)
    tree = MerchantTree(seed, before.root, moved, remembering(before.lines, read), places)
    sequence = 1 if before.head is None else before.head.sequence + 1
    leaves = ManifestLeaves(sequence, blinding)
    objects_total = before.objects + len(new)
    merchants = before.merchants + len(moved.keys() - tree.leaves.keys())
    leaves.add(
        {
            "leaf": "summary",
            "objects": len(new),
            "objects_total": objects_total,
            "merchants": merchants,
            "carried": places.next_start,
            "seed": seed,
        }
    )
    totals = with_objects(before.totals, (each.totals for each in new.values()))
    for document in total_leaves(totals):
        leaves.add(document)
    root = leaves.add_merchants(tree, moved, new)
    leaves.add({"leaf": "merchants", "root": root.value.hex()})
    for document in shard_leaves(before.shards, shards):
        leaves.add(document)
    lines = [*leaves.lines, *new]
    head = Head(
        log=log,
        sequence=sequence,
        previous=None if before.head is None else before.head.hash,
        sealed_until=sealed_until,
        root=root_of(map(leaf_hash, lines)).hex(),
    )
    counted = (objects_total, merchants, places.next_start, totals)
    return Manifest(head, lines), Sealed(head, *counted, shards, seed, root, leaves.placed)


def _by_merchant(new: Mapping[bytes, SealedObject]) -> dict[str, list[bytes]]:
    """The leaves of objects, in order; those whose key names no merchant are of the merchant ""."""
    moved: dict[str, list[bytes]] = {}
    for leaf, each in new.items():
        moved.setdefault(merchant_of(each.key) or "", []).append(leaf)
    return moved
