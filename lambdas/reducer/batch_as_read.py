"""A batch of one shard as it was read: what to count, park or refuse, and its cuts."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple, Self

from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.contracts.stream_records import (
    CutRecordV1,
    NewerRecordError,
    SegmentRecordV1,
    parse_stream_record,
)
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.cuts import Cut, closed_until, is_believable, newest, window_of
from falcon_balances.domain.effects import Effect, read_effect
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import JournalEntry
from falcon_balances.domain.parts import ArrivedSegment, CountablePart, countable_parts
from falcon_balances.domain.table_keys import ItemKey
from lambdas.reducer.following import First
from lambdas.reducer.gate import Awaiting, predecessor_of, without_predecessor
from lambdas.reducer.records import StreamRecord

_KEYS_PER_GET: Final = 100  # of BatchGetItem
_SAID_BY_THE_RECORD: Final = ("fingerprint", "part", "lines", "corrects")


Read = SegmentRecordV1 | CutRecordV1 | RejectedOperation | NewerRecordError
"""A record's content, or why it cannot be read."""


def read(record: StreamRecord) -> Read:
    try:
        return parse_stream_record(record.data)
    except (RejectedOperation, NewerRecordError) as error:
        return error


def predecessors(contents: Iterable[Read]) -> Iterator[ItemKey]:
    """The marks of the revisions that revisions among these contents build on."""
    for content in contents:
        if isinstance(content, SegmentRecordV1) and content.after is not None:
            with suppress(RejectedOperation):  # refused when it is added
                predecessor = predecessor_of(content, content.to_segment())
                if predecessor is not None:
                    yield predecessor


class CountedMark(NamedTuple):
    """What a mark in the table says. Only the mark of a segment's first part has the window."""

    window: datetime | None
    effect: Effect

    @classmethod
    def of(cls, attributes: Mapping[str, str | int]) -> Self:
        window = attributes.get("window")
        return cls(
            None if window is None else parse_rfc3339(str(window)),
            read_effect(str(attributes["effect"])),
        )


@dataclass(slots=True)
class Batch:
    """A batch as read: the parts to count, each once, its cuts, and the floor after them.

    `left_over`: blocks of operations in this batch, at balances that the operations do not touch.
    """

    floor: datetime | None
    predecessors: Mapping[ItemKey, datetime] = field(default_factory=dict)
    """The quarters of revisions that are counted and that revisions in this batch build on."""
    parts: dict[ItemKey, tuple[CountablePart, StreamRecord]] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)
    refused: set[StreamRecord] = field(default_factory=set)
    left_over: dict[ItemKey, CountablePart] = field(default_factory=dict)
    firsts: list[First] = field(default_factory=list)
    to_look_at: dict[ItemKey, datetime] = field(default_factory=dict)
    """Standings that may have findings, with the arrival of the record that touched them."""
    revisions: dict[ItemKey, Awaiting] = field(default_factory=dict)
    parked: list[tuple[StreamRecord, str]] = field(default_factory=list)
    segments: dict[StreamRecord, SegmentRecordV1] = field(default_factory=dict)
    in_parts: dict[ItemKey, ArrivedSegment] = field(default_factory=dict)
    """Segments of several parts, by the mark of the first."""
    marks: dict[ItemKey, CountedMark] = field(default_factory=dict)
    """The marks of parts that are counted, by this attempt or an earlier one."""
    begun: datetime | None = None
    """The floor after the first record that has one. Every attempt counts this record and all later
    ones from that quarter on, whatever the batch's borders: a floor depends on the records before
    it alone."""

    def record_of(self, part: CountablePart) -> StreamRecord:
        return self.parts[part.mark.key][1]

    def is_refused(self, part: CountablePart) -> bool:
        return self.record_of(part) in self.refused

    def is_refused_at(self, mark_key: ItemKey) -> bool:
        """Whether the part with this mark was refused, or taken out of the batch and parked."""
        return mark_key not in self.parts or self.is_refused(self.parts[mark_key][0])

    def counted(self) -> Iterator[tuple[CountablePart, datetime]]:
        """The parts that this batch or an earlier one counted, with their arrival."""
        for part, record in self.parts.values():
            if record not in self.refused:
                yield part, record.arrived_at

    def note_counted(self, mark_key: ItemKey, attributes: Mapping[str, str | int]) -> None:
        """`attributes` are the mark's, as the table has it."""
        self.marks[mark_key] = CountedMark.of(attributes)

    def journal_entries(self) -> Iterator[JournalEntry]:
        """An entry for each counted segment, in the order of the records: the window as its mark
        says, and the effects of all parts.
        """
        by_record: dict[StreamRecord, list[CountedMark]] = {}
        for mark_key, (_, record) in self.parts.items():
            if record not in self.refused:
                by_record.setdefault(record, []).append(self.marks[mark_key])
        for record, marks in by_record.items():
            (window,) = (mark.window for mark in marks if mark.window is not None)
            effect = {each: joint for mark in marks for each, joint in mark.effect.items()}
            ours = self.segments[record]
            yield JournalEntry(window, effect, ours.log_key, ours.version_id, ours.body)

    def add(self, record: StreamRecord, read: Read) -> None:
        """Adds a record. Raises RejectedOperation for a record that this system did not write.

        A record that cannot be read raises the floor as a segment does: a later version of this
        code may read it, and the records behind it must have the same floor then.
        """
        try:
            if isinstance(read, CutRecordV1):
                self._add_cut(read.to_cut(), record)
            elif isinstance(read, SegmentRecordV1):
                self._add_segment(read, record)
            else:
                self.floor = window_of(record.arrived_at, self.floor)
                raise read
        finally:
            self.begun = self.begun or self.floor

    def _add_cut(self, cut: Cut, record: StreamRecord) -> None:
        if not is_believable(cut, record.arrived_at):
            raise RejectedOperation(
                RejectionCode.RECORD, "cut_at, shards: not a cut that the cutter can have sent"
            )
        self.floor = newest([self.floor, closed_until(cut.cut_at)])
        self.cuts.append(cut)

    def _add_segment(self, ours: SegmentRecordV1, record: StreamRecord) -> None:
        segment = ours.to_segment()
        # A segment's effect depends on what this shard counted before. So no later record may go
        # into an earlier quarter, although arrival times can go back.
        self.floor = window = window_of(record.arrived_at, self.floor)
        predecessor = predecessor_of(ours, segment)
        before = None if predecessor is None else self._window_of(predecessor)
        # Nor may a revision go into an earlier quarter than the one that it revises. An earlier
        # attempt can have counted that one from a later record, which this batch does not see.
        if before is not None:
            window = max(window, before)
        arrived = ArrivedSegment(
            segment,
            window,
            ours.log_key,
            ours.fingerprint,
            corrects=ours.corrects,
            blocks=tuple(Block.key_of(segment.merchant_id, each) for each in ours.blocks),
            sale=tuple(each.to_part() for each in ours.sale),
        )
        parts = list(countable_parts(arrived))
        for part in parts:
            first, _ = self.parts.get(part.mark.key, (part, record))
            check_same(part, first.mark.attributes)
        if predecessor is not None:
            mark = ItemKey(predecessor.pk, MarkKey(segment.falcon_operation_id, segment.staged).sk)
            self._await(Awaiting(record, mark, predecessor, before is not None))
        self._add_parts(parts, record)
        first_mark = parts[0].mark.key
        if len(parts) > 1 and self.parts[first_mark][1] is record:
            self.in_parts[first_mark] = arrived
        self.segments[record] = ours
        if ours.settled is not None or ours.contradiction is not None:
            self.firsts.append(First(segment, ours.settled, ours.contradiction, record))

    def _window_of(self, predecessor: ItemKey) -> datetime | None:
        """The quarter of a revision that is counted or earlier in the batch, else None."""
        if predecessor not in self.predecessors and predecessor in self.parts:
            part, _ = self.parts[predecessor]
            return parse_rfc3339(str(part.mark.attributes["window"]))
        return self.predecessors.get(predecessor)

    def _add_parts(self, parts: Sequence[CountablePart], record: StreamRecord) -> None:
        """Adds each part once: of a part that comes again, the first record stays."""
        for part in parts:
            first, its_record = self.parts.setdefault(part.mark.key, (part, record))
            if not first.block_keys:  # sent by a later revision, which does not know the blocks
                again = replace(first, block_keys=part.block_keys)
                self.parts[part.mark.key] = (again, its_record)

    def _await(self, waiting: Awaiting) -> None:
        """If a revision comes twice, only the record behind its predecessor is counted."""
        earlier = self.revisions.get(waiting.mark)
        if earlier is None:
            self.revisions[waiting.mark] = waiting
        elif waiting.is_behind and not earlier.is_behind:
            self.parts = _without({earlier.record}, self.parts)
            del self.revisions[waiting.mark]
            # A record after the removed one is now before its replacement.
            for mark, each in self.revisions.items():
                if each.predecessor == waiting.mark:
                    self.revisions[mark] = each._replace(is_behind=False)
            self.revisions[waiting.mark] = waiting

    def hold_back(self) -> None:
        """Moves revisions that cannot be counted yet to `parked`."""
        held = without_predecessor(list(self.revisions.values()))
        self.parked += [
            (each.record, "after: the revision that it names is not counted yet") for each in held
        ]
        self.parts = _without({each.record for each in held}, self.parts)

    def continue_begun(self, store: BalanceStore) -> None:
        """Counts the rest of a segment in the quarter in which its first part was counted: a mark
        and a journal know one quarter of a segment.

        An earlier attempt can have begun it from a later record of the same revision, which this
        attempt does not see. Its quarter is still open, as no cut was met since. One read for a
        hundred segments of several parts; most batches have none.
        """
        firsts = sorted(key for key in self.in_parts if key in self.parts)
        for start in range(0, len(firsts), _KEYS_PER_GET):
            for mark, said in store.items(firsts[start : start + _KEYS_PER_GET]).items():
                begun = replace(self.in_parts[mark], window=parse_rfc3339(str(said["window"])))
                for part in countable_parts(begun):
                    there, record = self.parts[part.mark.key]
                    with_blocks = replace(part, block_keys=there.block_keys)
                    self.parts[part.mark.key] = (with_blocks, record)

    def met_again(self, parked: frozenset[str]) -> frozenset[str]:
        """The names of parked records that came again and are counted with this batch."""
        if not parked:
            return frozenset()
        return parked & {record.name for _, record in self.parts.values()}


Parts = dict[ItemKey, tuple[CountablePart, StreamRecord]]


def _without(records: Collection[StreamRecord], parts: Parts) -> Parts:
    return {key: each for key, each in parts.items() if each[1] not in records}


def check_same(part: CountablePart, there: Mapping[str, str | int]) -> None:
    """Refuses a part that differs from what was counted under its identity."""
    attributes = part.mark.attributes
    if any(attributes.get(name) != there.get(name) for name in _SAID_BY_THE_RECORD):
        raise RejectedOperation(
            RejectionCode.RECORD,
            "record: differs from the segment that was counted under this identity",
        )
