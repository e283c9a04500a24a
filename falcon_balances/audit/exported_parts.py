"""Tracks the parts of events in exported lines, by hashes, so memory stays bounded."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from falcon_balances.audit.line_fields import Words
from falcon_balances.audit.line_grammar import Numbers
from falcon_balances.audit.repeats import hash_of
from falcon_balances.domain.operations import Stage

_PARTS_HELD_MAX: Final = 4 << 20
_MASK: Final = (1 << 64) - 1
REVISION_WORD: Final = 0xD1B54A32D192ED03
_STAGE_WORDS: Final = {
    str(stage): number * 0x9E3779B97F4A7C15 & _MASK for number, stage in enumerate(Stage)
}


class EventKey(NamedTuple):
    stage: str
    falcon_operation_id: str
    revision: int


class PartsOfLines(NamedTuple):
    """For each line of an event with several merchants: the event's 64-bit hash, part, parts."""

    events: Words
    part: Numbers
    parts: Numbers


def stage_words(owners: Sequence[tuple[str, str]]) -> Words:
    return np.array([_STAGE_WORDS[stage] for _, stage in owners], dtype=np.uint64)


def hash_of_event(event: EventKey) -> int:
    words = _STAGE_WORDS[event.stage] + event.revision * REVISION_WORD
    return (hash_of(event.falcon_operation_id) + words) & _MASK


def parts_of_rows(rows: Iterable[tuple[int, int, int]]) -> PartsOfLines:
    some = [row for row in rows if row[2] > 1]
    return PartsOfLines(
        np.array([event for event, _, _ in some], dtype=np.uint64),
        np.array([part for _, part, _ in some], dtype=np.int64),
        np.array([parts for _, _, parts in some], dtype=np.int64),
    )


class SeenParts:
    """The parts of each event so far; a complete event is forgotten.

    If another line of a forgotten event follows, the event seems incomplete, and is checked again.
    """

    def __init__(self) -> None:
        self._held: list[PartsOfLines] = []
        self._count = 0

    def add(self, found: PartsOfLines) -> None:
        self._held.append(found)
        self._count += len(found.events)
        if self._count > _PARTS_HELD_MAX:
            self._held = [self._left()]
            self._count = len(self._held[0].events)

    def incomplete(self) -> frozenset[int]:
        return frozenset(self._left().events.tolist())

    def _left(self) -> PartsOfLines:
        if not self._count:
            return parts_of_rows([])
        events, part, parts = (np.concatenate(each) for each in zip(*self._held, strict=True))
        order = np.lexsort((parts, part, events))
        events, part, parts = events[order], part[order], parts[order]
        is_new = np.ones(len(events), dtype=np.bool_)
        is_new[1:] = (
            (events[1:] != events[:-1]) | (part[1:] != part[:-1]) | (parts[1:] != parts[:-1])
        )
        events, part, parts = events[is_new], part[is_new], parts[is_new]
        starts = np.flatnonzero(np.concatenate([[True], events[1:] != events[:-1]]))
        counts = np.diff(np.append(starts, len(events)))
        of = parts[starts]
        complete = (
            (np.minimum.reduceat(parts, starts) == of)
            & (np.maximum.reduceat(parts, starts) == of)
            & (counts == of)
        )
        left = ~np.repeat(complete, counts)
        return PartsOfLines(events[left], part[left], parts[left])
