"""Replay and verify over the log as it lies, one object an event and merchant, beside the bytes and
beside those who could add it up as well.

The programs run in turn, several times, and the ratio of the medians is what counts on a machine
that others use too.
"""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.audit_rivals import (
    ARROW_OBJECTS,
    DUCKDB_OBJECTS,
    POLARS_OBJECTS,
    READ_OBJECTS,
    REPLAY_OBJECTS,
    SHA256SUM,
    VERIFY,
)
from bench.programs import Measured, measure
from bench.results import Bound, Column, Result, Row
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.manifests import Sealed, SealedObject, seal
from generated.logs import objects_of, segments, write

EVENTS: Final = 45_500  # 100,100 objects of two lines
MILLION_EVENTS: Final = 455_000
READ_TIMES_MAX: Final = 2
POLARS_TIMES_MIN: Final = 8
DUCKDB_TIMES_MIN: Final = 25
VERIFY_TIMES_MAX: Final = 2.0
MEMORY_MB_MAX: Final = 500
_MB: Final = 1 << 20
_SUMS: Final = {
    "replay": REPLAY_OBJECTS,
    "Polars": POLARS_OBJECTS,
    "pyarrow.dataset": ARROW_OBJECTS,
    "DuckDB": DUCKDB_OBJECTS,
}
_PROGRAMS: Final = {
    "read every byte": READ_OBJECTS,
    "sha256sum": SHA256SUM,
    "verify, two processes": VERIFY,
    **_SUMS,
}
_BESIDE: Final = {"verify, two processes": "sha256sum", "sha256sum": "sha256sum"}
_COLUMNS: Final = [
    Column("what", "what"),
    Column("seconds", "seconds", 2),
    Column("ratio", "times what it stands beside", 2),
    Column("memory_mb", "MB at most"),
]


def run(events: int = EVENTS) -> Result:
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        objects = objects_of(segments(events, contradicting=True))
        write(objects, folder / "log")
        _seal(folder, objects)
        measured = measure(folder, _PROGRAMS)
    seconds = {name: each.seconds for name, each in measured.items()}
    replay = seconds["replay"]
    size = sum(map(len, objects.values()))
    return Result(
        name="audit",
        title=f"{len(objects):,} objects of two lines, {size / _MB:.0f} MB",
        columns=_COLUMNS,
        rows=[_row(name, measured) for name in measured],
        notes=[
            "verify beside sha256sum, all else beside reading the bytes alone; medians of five",
            "Polars, pyarrow and DuckDB once each, over lines unique by uuid, with exact decimals",
            "all join both stages of every operation; one of eight contradicts itself",
        ],
        bounds=[
            Bound(
                "all find the same figures",
                len({measured[name].found for name in _SUMS}) == 1,
                fails_the_run=True,
            ),
            _reported(
                f"replay takes {READ_TIMES_MAX} times as long as reading, at most",
                replay <= READ_TIMES_MAX * seconds["read every byte"],
            ),
            _reported(
                f"replay is {POLARS_TIMES_MIN} times as fast as Polars, at least",
                seconds["Polars"] >= POLARS_TIMES_MIN * replay,
            ),
            _reported(
                f"replay is {DUCKDB_TIMES_MIN} times as fast as DuckDB, at least",
                seconds["DuckDB"] >= DUCKDB_TIMES_MIN * replay,
            ),
            _reported(
                f"verify takes {VERIFY_TIMES_MAX} times as long as sha256sum, at most",
                seconds["verify, two processes"] <= VERIFY_TIMES_MAX * seconds["sha256sum"],
            ),
        ],
    )


def run_million(events: int = MILLION_EVENTS) -> Result:
    """A million files: some minutes to write and remove, and four gigabytes on most disks."""
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        count = 0
        for segment in segments(events, contradicting=True):
            write(objects_of([segment]), folder / "log")
            count += 1
        measured = measure(folder, {"read every byte": _ONCE_READ, "replay": _ONCE_REPLAY})
    return Result(
        name="audit_million",
        title=f"{count:,} objects of two lines",
        columns=_COLUMNS,
        rows=[_row(name, measured) for name in measured],
        notes=["once each; the page cache holds what it holds"],
        bounds=[
            _reported(
                f"replay holds {MEMORY_MB_MAX} MB, at most",
                measured["replay"].memory_mb < MEMORY_MB_MAX,
            )
        ],
    )


_ONCE_READ: Final = replace(READ_OBJECTS, repeats=1)
_ONCE_REPLAY: Final = replace(REPLAY_OBJECTS, repeats=1)


def _row(name: str, measured: dict[str, Measured]) -> Row:
    seconds, memory_mb, _ = measured[name]
    beside = measured[_BESIDE.get(name, "read every byte")].seconds
    return {"what": name, "seconds": seconds, "ratio": seconds / beside, "memory_mb": memory_mb}


def _reported(text: str, holds: bool) -> Bound:  # noqa: FBT001 - as Bound has it
    return Bound(text, holds, fails_the_run=False)


def _seal(folder: Path, objects: dict[str, bytes]) -> None:
    """As the sealer would, with a key made here."""
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = [
        SealedObject.of(each, f"version-{n}", body, read_strictly(each, body))
        for n, (each, body) in enumerate(objects.items())
    ]
    manifest, _ = seal("bench", Sealed(), sealed, "2026-11-20T01:00:00Z", bytes(32))
    signature = key.sign(manifest.head.line(), ec.ECDSA(hashes.SHA256()))
    path = folder / manifest.key
    path.parent.mkdir()
    path.write_bytes(manifest.signed(b64encode(signature).decode()))
    (folder / "key.pem").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
