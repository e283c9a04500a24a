"""Checks that an event has one object per stage, or each part once, so no money is in the log
twice.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from .findings import Discrepancy
from .keys import read_key

PARTS_NAMED_MAX = 20
TIME = "%Y-%m-%dT%H:%M:%SZ"


class Event(NamedTuple):
    """An event with several objects: of several merchants, or too many."""

    keys: list[str]
    """Its keys, in the order of sealing."""
    sealed_first: str
    """The sealed_until of the manifest that sealed the first of them."""


class Events:
    """Events by stage and operation. A line's uuid is derived from stage, operation, merchant and
    line: if each merchant has one object of an event, no uuid occurs twice.
    """

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._numbered: dict[str, Event] = {}

    def note(self, event: str, key: str, sealed_until: str) -> None:
        first = self._first.setdefault(event, key)
        if first is not key:
            self._numbered.setdefault(event, Event([first], "")).keys.append(key)
        elif "-of-" in key:
            self._numbered[event] = Event([key], sealed_until)

    def problems(self, last: str | None) -> Iterator[Discrepancy]:
        """The problems. `last` is the sealed_until of the last manifest: an event that began less
        than a day before is not reported as incomplete; with None, no event is.
        """
        complete = "" if last is None else _a_day_before(last)
        for event in self._numbered.values():
            found = list(_misfits(event.keys))
            yield from found
            if not found and last is not None and event.sealed_first <= complete:
                yield from _missing(event.keys)


def _a_day_before(sealed_until: str) -> str:
    """The time a day earlier: for a day, an event is retried until all its parts are written."""
    try:
        return (datetime.strptime(sealed_until, TIME) - timedelta(days=1)).strftime(TIME)  # noqa: DTZ007 - only texts in UTC are compared
    except (ValueError, OverflowError):
        return sealed_until


def _misfits(keys: list[str]) -> Iterator[Discrepancy]:
    """The problems of objects that contradict earlier sealed ones."""
    parts: dict[int, str] = {}
    merchants: dict[str, str] = {}
    reads = [_read(key) for key in keys]
    _, first_of, first_day, _ = reads[0]
    for key, (part, of, day, merchant) in zip(keys, reads, strict=True):
        if of != first_of:
            yield Discrepancy(key, f"its number of parts differs from that of {keys[0]}")
        twins = {parts.setdefault(part, key), merchants.setdefault(merchant, key)} - {key}
        if twins:
            yield Discrepancy(key, f"its event is already in the log as {min(twins)}")
        elif day != first_day:
            yield Discrepancy(key, f"its event has a different day in {keys[0]}")


def _missing(keys: list[str]) -> Iterator[Discrepancy]:
    of = _read(keys[0])[1]
    missing = sorted(set(range(1, of + 1)) - {_read(key)[0] for key in keys})
    if missing:
        named = ", ".join(map(str, missing[:PARTS_NAMED_MAX]))
        more = ", …" if len(missing) > PARTS_NAMED_MAX else ""
        yield Discrepancy(keys[0], f"part {named}{more} of {of} of its event was never sealed")


def _read(key: str) -> tuple[int, int, str, str]:
    """Part, parts, day and merchant of a noted key, which is never foreign."""
    named = read_key(key)
    if named is None:
        raise ValueError(key)
    return int(named["part"] or 1), int(named["parts"] or 1), named["day"], named["merchant"]
