"""Faults of the journal: what it lacks, what it says otherwise, and what it is read as."""

from typing import Final

from tests.property.faults.fault import Fault

_BATCH: Final = "lambdas/reducer/batch.py"
_COUNTING: Final = "lambdas/reducer/counting.py"
_NOTED: Final = "            batch.note_counted(part.mark.key, outcome.attributes)\n"
_TWICE: Final = "tests/component/test_reducer_journal_twice.py"
_READER: Final = "falcon_balances/adapters/closed_journal.py"
_READ: Final = ("tests/component/test_closed_journal.py",)
_KILLED: Final = ("tests/component/test_reducer_journal.py", _TWICE)

JOURNALING_FAULTS: Final = (
    Fault(
        "journaled after the cut",
        _BATCH,
        "    journaled = journal(shard_id, batch, state, ports)\n"
        "    if not _still_parked(batch, state, ports):\n"
        "        _meet_cuts(shard_id, batch, journaled, ports)\n",
        "    if not _still_parked(batch, state, ports):\n"
        "        _meet_cuts(shard_id, batch, state.journaled, ports)\n"
        "    journal(shard_id, batch, state, ports)\n",
        first=_KILLED,
    ),
    Fault(
        "of a batch only what this attempt counted journaled",
        _COUNTING,
        _NOTED,
        "            batch.refused.add(batch.record_of(part))\n",
        first=_KILLED,
    ),
    Fault(
        "the quarter of a repeat taken from its record instead of the mark",
        _COUNTING,
        _NOTED,
        "            said = {**outcome.attributes, 'window': part.window}\n"
        "            batch.note_counted(part.mark.key, said)\n",
    ),
    Fault(
        "the effect of a repeat taken from its record instead of the mark",
        _COUNTING,
        _NOTED,
        "            said = {**outcome.attributes, 'effect': part.mark.attributes['effect']}\n"
        "            batch.note_counted(part.mark.key, said)\n",
    ),
    Fault(
        "of a segment in parts only the first part's effect journaled",
        "lambdas/reducer/batch_as_read.py",
        "for mark in marks for each, joint in mark.effect.items()}\n",
        "for mark in marks[:1] for each, joint in mark.effect.items()}\n",
        first=_KILLED,
    ),
    Fault(
        "the rest of a segment counted in another quarter than its first part",
        _BATCH,
        "    batch.continue_begun(ports.store)\n",
        "",
        first=_KILLED,
    ),
    Fault(
        "a page that the next one does not build on",
        "lambdas/reducer/journaling.py",
        "    moved = state._replace(closed_until=batch.floor, journaled=position)\n",
        "    moved = state._replace(closed_until=batch.floor)\n",
    ),
    Fault(
        "a shard moved although another function moved it meanwhile",
        "lambdas/reducer/journaling.py",
        "    if (there.closed_until, there.journaled) != (moved.closed_until, moved.journaled):\n",
        "    if not there.is_known:\n",
        first=_KILLED,
    ),
    Fault(
        "a gap between two pages taken as complete",
        "falcon_balances/domain/journal.py",
        "        if name is None:\n"
        '            raise IntegrityError(f"journal of {shard_id}: '
        'page {position.text} is missing")\n',
        "        if name is None:\n            break\n",
        first=("tests/unit/domain/test_journal.py",),
    ),
    Fault(
        "the next reader started behind a page that has entries for it",
        _READER,
        "            if next_window is None:\n",
        "            if True:\n",
        first=_READ,
    ),
    Fault(
        "a shard read no further than the first page of a later quarter",
        _READER,
        "            yield from page.entries\n"
        "            later = [entry.window for entry in page.entries if entry.window >= until]\n"
        "            if later:\n"
        "                next_window = min([*later, next_window or later[0]])\n",
        "            yield from page.entries\n"
        "            later = [entry.window for entry in page.entries if entry.window >= until]\n"
        "            if later:\n"
        "                next_window = min(later)\n"
        "                break\n",
        first=(_TWICE,),
    ),
    Fault(
        "a page's floor taken from the end of its batch",
        "lambdas/reducer/journaling.py",
        "position.digest, entries, batch.begun)",
        "position.digest, entries, batch.floor)",
        first=_KILLED,
    ),
    Fault(
        "a floor that a record of a later version does not raise",
        "lambdas/reducer/batch_as_read.py",
        "                self.floor = window_of(record.arrived_at, self.floor)\n"
        "                raise read\n",
        "                raise read\n",
        first=(_TWICE,),
    ),
    Fault(
        "a repeat in the journal read twice",
        _READER,
        "                if is_asked_for and repeats.is_new(entry):\n",
        "                if is_asked_for and (repeats.is_new(entry) or True):\n",
    ),
)
