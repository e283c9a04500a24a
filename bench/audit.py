"""Replay and verify over a log of one object per event and merchant, beside reading every byte, and
beside other programs that can add the log up.

The programs run in turn, several times. On a machine that others use too, only the ratio of the
medians counts.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.comparison import Limit, compared
from bench.own_programs import READ_OBJECTS, REPLAY_OBJECTS, SHA256SUM, VERIFY
from bench.results import Result
from bench.rival_arrow import ARROW_OBJECTS
from bench.rival_sums import DUCKDB_OBJECTS, POLARS_OBJECTS
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.manifests import Sealed, seal
from falcon_balances.domain.merchant_branch import SealedLine
from falcon_balances.domain.sealed_objects import SealedObject
from generated.logs import objects_of, segments, write

EVENTS: Final = 45_500  # 100,100 objects of two lines
MILLION_EVENTS: Final = 455_000
_MB: Final = 1 << 20
_READ: Final = "read every byte"
_VERIFY: Final = "verify, two processes"
_SUMS: Final = {
    "replay": REPLAY_OBJECTS,
    "Polars": POLARS_OBJECTS,
    "pyarrow.dataset": ARROW_OBJECTS,
    "DuckDB": DUCKDB_OBJECTS,
}
_PROGRAMS: Final = {_READ: READ_OBJECTS, "sha256sum": SHA256SUM, _VERIFY: VERIFY, **_SUMS}
_LIMITS: Final = (
    Limit("replay takes 2 times as long as reading, at most", "replay", 2, _READ),
    Limit("replay is 8 times as fast as Polars, at least", "Polars", 8, "replay", at_least=True),
    Limit("replay is 25 times as fast as DuckDB, at least", "DuckDB", 25, "replay", at_least=True),
    Limit("verify takes 2 times as long as sha256sum, at most", _VERIFY, 2, "sha256sum"),
)


def run(events: int = EVENTS) -> list[Result]:
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        objects = objects_of(segments(events, contradicting=True))
        write(objects, folder / "log")
        seal_log(folder, objects)
        size = sum(map(len, objects.values()))
        return [
            compared(
                folder,
                "audit",
                f"{len(objects):,} objects of two lines, {size / _MB:.0f} MB",
                _PROGRAMS,
                beside=_READ,
                besides={_VERIFY: "sha256sum", "sha256sum": "sha256sum"},
                agreeing=_SUMS,
                notes=(
                    "verify beside sha256sum, all else beside reading the bytes; medians of five",
                    "Polars, pyarrow and DuckDB once, over lines unique by uuid, exact decimals",
                    "all join both stages of every operation; one of eight contradicts itself",
                ),
                limits=_LIMITS,
            )
        ]


def run_million(events: int = MILLION_EVENTS) -> list[Result]:
    """A million files: they take minutes to write and remove, and four gigabytes on most disks."""
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        count = 0
        for segment in segments(events, contradicting=True):
            write(objects_of([segment]), folder / "log")
            count += 1
        once = {_READ: READ_OBJECTS, "replay": REPLAY_OBJECTS}
        return [
            compared(
                folder,
                "audit_million",
                f"{count:,} objects of two lines",
                {each: replace(program, repeats=1) for each, program in once.items()},
                beside=_READ,
                agreeing=("replay",),
                notes=("once each; the page cache holds what it holds",),
                memory_mb_max={"replay": 500},
            )
        ]


def no_lines(_wanted: Sequence[SealedLine]) -> list[bytes]:
    """The first manifest goes on from no other."""
    return []


def seal_log(folder: Path, objects: dict[str, bytes]) -> None:
    """Seals a log as the sealer would, with a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = [
        SealedObject.of(each, f"version-{n}", body, read_strictly(each, body))
        for n, (each, body) in enumerate(objects.items())
    ]
    manifest, _ = seal("bench", Sealed(), sealed, "2026-11-20T01:00:00Z", bytes(32), {}, no_lines)
    signature = key.sign(manifest.head.line(), ec.ECDSA(hashes.SHA256()))
    path = folder / manifest.key
    path.parent.mkdir()
    path.write_bytes(manifest.signed(b64encode(signature).decode()))
    (folder / "key.pem").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
