"""Faults of the log: flawed or foreign objects, repeated lines, missing parts."""

import re
from dataclasses import dataclass
from typing import Final

_PART = re.compile(r"\.([0-9]+)-of-([0-9]+)\.csv\Z")


@dataclass(frozen=True, slots=True, order=True)
class LogFinding:
    """One fault of the log. `problem` is one of the words below."""

    key: str
    problem: str
    detail: str


FOREIGN: Final = "foreign"
FLAWED: Final = "flawed"
REPEATED: Final = "repeated"
PART_MISSING: Final = "part_missing"


class Parts:
    """Tracks the parts of events with several merchants; forgets complete events."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, int, str]] = {}
        self._findings: list[LogFinding] = []

    def add(self, key: str) -> None:
        stage, name = key.partition("/")[0], key.rpartition("/")[2]
        found = _PART.search(name)
        part, parts = (int(found[1]), int(found[2])) if found else (0, 0)
        event = (stage, name[: found.start()] if found else name)
        before, of, first = self._seen.pop(event, (0, parts, key))
        if of != parts:
            self._findings.append(
                LogFinding(key, PART_MISSING, f"names {parts} parts, but {first} names {of}")
            )
        if before >> (part - 1) & 1:
            self._findings.append(
                LogFinding(key, REPEATED, f"a second object is part {part} of {parts}")
            )
        now = before | 1 << (part - 1)
        if now != (1 << of) - 1:
            self._seen[event] = (now, of, first)

    def missing(self) -> list[LogFinding]:
        missing = []
        for seen, of, first in self._seen.values():
            absent = [str(part) for part in range(1, of + 1) if not seen >> (part - 1) & 1]
            missing.append(
                LogFinding(first, PART_MISSING, f"missing: part {', '.join(absent)} of {of}")
            )
        return self._findings + missing
