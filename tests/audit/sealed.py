"""Logs of any size in folders, as a sync leaves them, sealed with a key that lies in memory."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from zlib import crc32

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.journal import JournalPosition
from falcon_balances.domain.manifests import Manifest, Sealed, seal
from falcon_balances.domain.merchant_branch import SealedLine
from falcon_balances.domain.sealed_objects import SealedObject
from falcon_balances.domain.sealed_shards import SealedShard
from generated.logs import objects_of, segments, write
from tests.audit.logs import Objects

SHARD = "shardId-000000000000"
KEY = ec.derive_private_key(20_261_120, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(20_261_121, ec.SECP256R1())


def objects(events: int, merchants: int = 40) -> Objects:
    return objects_of(segments(events, merchants))


def sign(text: bytes, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    return b64encode(key.sign(text, ec.ECDSA(hashes.SHA256()))).decode()


def sealed_objects(some: Mapping[str, bytes]) -> Iterator[SealedObject]:
    for key, body in some.items():
        yield SealedObject.of(key, f"v-{crc32(key.encode()):08x}", body, read_strictly(key, body))


def lines_in(manifests: Sequence[Manifest], wanted: Sequence[SealedLine]) -> list[bytes]:
    """What the sealer reads of earlier manifests."""
    found = []
    for each in wanted:
        leaves = b"\n".join(manifests[each.sequence - 1].leaves)
        found.append(leaves[each.offset : each.offset + each.size])
    return found


@dataclass
class SealedLog:
    """`log`, `manifests`, `versions` and `public_key` are what an auditor has."""

    root: Path
    log: Path
    manifests: Path
    versions: Path
    public_key: bytes
    heads: list[Manifest] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return [each["Key"] for each in json.loads(self.versions.read_text())["Versions"]]


def public_key_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def at_page(number: int) -> SealedShard:
    """Sealed up to the page of this number; of the pages themselves, an auditor has nothing."""
    return SealedShard(*(JournalPosition(each, f"{each:064x}") for each in (number - 1, number)))


def sealed_log(root: Path, parts: Sequence[Objects]) -> SealedLog:
    """A manifest for each of `parts`."""
    made = SealedLog(
        root, root / "log", root / "manifests", root / "versions.json", public_key_of(KEY)
    )
    made.log.mkdir(parents=True)
    made.manifests.mkdir()
    sealed = Sealed()
    listed = []
    for number, part in enumerate(parts):
        write(part, made.log)
        new = list(sealed_objects(part))
        listed += [{"Key": each.key, "VersionId": each.version_id} for each in new]
        until = f"2026-11-{number + 1:02}T01:00:00Z"
        shards = {SHARD: at_page(number + 1)}
        manifest, sealed = seal(
            "log-bucket",
            sealed,
            new,
            until,
            bytes([number]) * 32,
            shards,
            partial(lines_in, made.heads),
        )
        made.heads.append(manifest)
        path = made.manifests / manifest.key.rpartition("/")[2]
        path.write_bytes(manifest.signed(sign(manifest.head.line())))
    made.versions.write_text(json.dumps({"Versions": listed}))
    return made


def split(whole: Objects, parts: int) -> list[Objects]:
    """At random, but an event's objects stay together, as they are written."""
    events: dict[str, Objects] = {}
    for key, body in whole.items():
        events.setdefault(key.rpartition("/")[2].partition(".")[0], {})[key] = body
    shuffled = list(events.values())
    Random(3).shuffle(shuffled)
    return [
        {key: body for event in shuffled[n::parts] for key, body in event.items()}
        for n in range(parts)
    ]
