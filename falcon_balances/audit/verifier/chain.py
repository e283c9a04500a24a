"""Checks the chain of manifests: each is signed and names the previous one."""

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from .files import MANIFEST_MAX_BYTES, MANIFEST_MAX_LINES, read_plain
from .findings import Discrepancy, NotWrittenSoError, Problems
from .hashing import NOT_SIGNED, is_signed, read_json

HEAD_FIELDS = {"schema_version", "log", "sequence", "previous", "sealed_until", "root"}
MANIFEST = re.compile(r"(?!0{8})[0-9]{8}\.jsonl\Z")
SEQUENCE_MAX = 99_999_999


class ReadManifest(NamedTuple):
    place: str
    head: dict[str, Any]
    head_line: bytes
    leaves: list[bytes]


def read_head(line: bytes) -> dict[str, Any]:
    head = read_json(line)
    if set(head) != HEAD_FIELDS or head["schema_version"] != "1":
        raise NotWrittenSoError("the head does not have the fields and version of the format")
    kinds = {"log": str, "sequence": int, "sealed_until": str, "root": str}
    if not all(type(head[name]) is kind for name, kind in kinds.items()):
        raise NotWrittenSoError("a field of the head has the wrong type")
    if head["previous"] is not None and not isinstance(head["previous"], str):
        raise NotWrittenSoError("a field of the head has the wrong type")
    if not 1 <= head["sequence"] <= SEQUENCE_MAX:
        raise NotWrittenSoError("the head's sequence is out of range")
    return head


def folder_of_manifests(folder: Path) -> Path:
    """The folder of manifests: the given one, or its folder `manifests` if it holds no manifest
    itself.

    If both folders hold manifests, the outer one counts and the inner one is foreign, so nobody can
    have another chain checked by putting it inside. Raises OSError.
    """
    names = {each.name for each in folder.iterdir()}
    inner = folder / "manifests"
    if any(MANIFEST.match(name) for name in names) or not inner.is_dir():
        return folder
    return inner


def manifests_in(folder: Path, problems: Problems) -> Iterator[tuple[int, Path]]:
    """The manifests in order. Missing numbers and other files are problems.

    Raises NotWrittenSoError if the folder does not exist or cannot be listed.
    """
    try:
        folder = folder_of_manifests(folder)
        found = sorted(each.name for each in folder.iterdir())
    except OSError as error:
        raise NotWrittenSoError(f"{folder}: {error.strerror}") from error
    sequences = {int(name[:8]): name for name in found if MANIFEST.match(name)}
    problems += [
        Discrepancy(name, "not a manifest, but lies in their folder")
        for name in found
        if not MANIFEST.match(name)
    ]
    if not sequences:
        problems.append(Discrepancy(str(folder), "the folder holds no manifest"))
    expected = 1
    for sequence, name in sorted(sequences.items()):
        if sequence > expected:
            problems.append(_gap(expected, sequence - 1))
        expected = sequence + 1
        yield sequence, folder / name


def _gap(first: int, last: int) -> Discrepancy:
    """One problem, however many are missing: a single file can be named 99999999.jsonl."""
    if first == last:
        return Discrepancy(f"{first:08}.jsonl", "this manifest is missing")
    return Discrepancy(
        f"{first:08}.jsonl",
        f"{last - first + 1} manifests are missing, from this one to {last:08}.jsonl",
    )


def check_lines(lines: list[bytes]) -> None:
    """Removes the empty text after the last LF. Raises NotWrittenSoError."""
    if len(lines) > MANIFEST_MAX_LINES + 1:
        raise NotWrittenSoError(f"more than {MANIFEST_MAX_LINES} lines")
    if lines.pop():
        raise NotWrittenSoError("its last line is incomplete")
    if len(lines) < 3:  # noqa: PLR2004 - head, signature, and a summary at least
        raise NotWrittenSoError("it has no leaves")


class Chain:
    """Manifest after manifest: each signed, each naming the one before."""

    def __init__(self, key: ec.EllipticCurvePublicKey, problems: Problems) -> None:
        self._key = key
        self._problems = problems
        self.heads: dict[int, str] = {}
        self.last: dict[str, Any] | None = None

    def read(self, sequence: int, path: Path) -> ReadManifest | None:
        """Reads and checks a manifest; None if its format is wrong."""
        place = path.name
        try:
            text = read_plain(path, MANIFEST_MAX_BYTES)
            lines = text.split(b"\n", MANIFEST_MAX_LINES + 1)
            check_lines(lines)
            head = read_head(lines[0])
            if not is_signed(lines[0], lines[1], self._key):
                self._say(place, NOT_SIGNED)
        except OSError as error:
            self._say(place, f"unreadable: {error.strerror}")
            return None
        except NotWrittenSoError as error:
            self._say(place, f"unreadable: {error}")
            return None
        self._check_links(place, sequence, head)
        self.heads[sequence] = sha256(lines[0]).hexdigest()
        self.last = head
        return ReadManifest(place, head, lines[0], lines[2:])

    def _check_links(self, place: str, sequence: int, head: dict[str, Any]) -> None:
        if head["sequence"] != sequence:
            self._say(place, f"its head says that it is manifest {head['sequence']}")
        before = self.heads.get(sequence - 1)
        if sequence == 1 and head["previous"] is not None:
            self._say(place, "it is the first manifest, but names a previous one")
        if before is not None and head["previous"] != before:
            self._say(place, "its `previous` is not the hash of the manifest before it")
        if self.last is not None:
            if head["log"] != self.last["log"]:
                self._say(place, "it names another log than the manifest before it")
            if head["sealed_until"] < self.last["sealed_until"]:
                self._say(place, "its sealed_until is earlier than that of the manifest before it")

    def _say(self, place: str, what: str) -> None:
        self._problems.append(Discrepancy(place, what))
