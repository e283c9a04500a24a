"""Publishes a made day: its description decides which run's files are the day."""

from datetime import date, timedelta

from falcon_balances.adapters.closed_day_files import ClosedDayFiles
from falcon_balances.contracts.closed_days import ClosedDayV1, closed_day_of
from falcon_balances.contracts.making_days import ListedDay, PublishRequest
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.journal import JournalPosition

_DAY = timedelta(days=1)


def publish_day(request: PublishRequest, files: ClosedDayFiles) -> ClosedDayV1:
    """The description of the day. Two runs that made the same day are both right: the first one to
    describe it counts. Raises IntegrityError.

    Costs the bytes of the day, each read once to hash it.
    """
    listed = request.day
    _check(listed, request.counted)
    day = date.fromisoformat(listed.day)
    decided = files.described(day)
    if decided is None:
        before = files.newest()
        if before is not None and before.day + _DAY != day:
            raise IntegrityError(f"{day}: the last day that was made is {before.date}")
        decided = files.publish(_described(listed, before, files))
    files.show(decided)
    return _same(listed, decided)


def _check(listed: ListedDay, counted: list[int]) -> None:
    expected = [listed.segments, listed.lines, listed.lines]
    if counted != expected:
        raise IntegrityError(
            f"{listed.day}, run {listed.run}: the journal has segments, lines and rows {expected}, "
            f"the files have {counted}"
        )


def _described(listed: ListedDay, before: ClosedDayV1 | None, files: ClosedDayFiles) -> ClosedDayV1:
    day = date.fromisoformat(listed.day)
    return closed_day_of(
        day,
        before.digest if before else None,
        {shard_id: JournalPosition.parse(text) for shard_id, text in listed.journal.items()},
        listed.segments,
        listed.lines,
        files.files(day, listed.run),
    )


def _same(listed: ListedDay, decided: ClosedDayV1) -> ClosedDayV1:
    if (decided.segments, decided.lines) != (listed.segments, listed.lines):
        raise IntegrityError(f"{listed.day}: another run made it with other segments or lines")
    return decided
