"""Where replay and compare take lines from: closed days, or the objects of the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.closed_day_files import ClosedDayFiles
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.stream_progress import DynamoStreamProgress
from falcon_balances.audit.cheaper import closed_is_cheaper
from falcon_balances.cli import output
from falcon_balances.cli.audit.fetching import fetch_closed_days
from falcon_balances.cli.audit.options import UNSIGNED, Lines, closed_days_in, log_source
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.domain.journal import BEGINNING

if TYPE_CHECKING:
    from falcon_balances.audit.log_objects import Selection
    from falcon_balances.audit.replay import Replayed
    from falcon_balances.cli.target import Target
    from falcon_balances.contracts.closed_days import ClosedDayV1


class Replaying(Protocol):
    """Replays everything that is counted by then."""

    def __call__(self, selection: "Selection", before: str | None = None) -> "Replayed": ...


@contextmanager
def everything_counted(
    target: "Target", log: str | None, lines: Lines | None, merchant_id: str | None
) -> Iterator[Replaying]:
    """Closed days, together with what the environment's journal has since, or the log's objects.

    Without `--log` and `--from` it is whichever takes fewer requests.
    """
    folder = closed_days_in(log, lines)
    if folder is not None:
        with closed_and_since(target, folder) as replaying:
            yield replaying
    elif log is None and lines is not Lines.LOG and _is_closed(target, lines, merchant_id):
        with TemporaryDirectory(prefix="falcon-closed-") as fetched:
            fetch_closed_days(target, Path(fetched), lambda _days: None)
            with closed_and_since(target, Path(fetched) / "closed") as replaying:
                yield replaying
    else:
        yield _from_log(log, target.env)


@contextmanager
def closed_and_since(target: "Target", folder: Path) -> Iterator[Replaying]:
    """Replays the closed days in the folder, and what the environment's journal has since."""
    from falcon_balances.audit.closed_replay import ClosedDays  # noqa: PLC0415 - DuckDB
    from falcon_balances.audit.counted_since import KeptPages  # noqa: PLC0415
    from falcon_balances.audit.everything_counted import EverythingCounted  # noqa: PLC0415

    output.note(UNSIGNED)
    journal = S3Journal(target.client("s3"), target.journal_bucket)
    with TemporaryDirectory(prefix="falcon-journal-") as kept:
        pages = KeptPages(journal, Path(kept))
        yield EverythingCounted(ClosedDays(folder), pages, _progress(target)).replay


def closed_days_of(target: "Target") -> "list[ClosedDayV1]":
    """The descriptions of the environment's closed days. Raises InvalidInputError if there are
    none.
    """
    if not (days := _closed_days(target)):
        raise InvalidInputError(f"environment {target.env} has no closed days")
    return days


def _closed_days(target: "Target") -> "list[ClosedDayV1]":
    bucket = target.closed_bucket
    return [] if bucket is None else ClosedDayFiles(target.client("s3"), bucket).every()


def _is_closed(target: "Target", lines: Lines | None, merchant_id: str | None) -> bool:
    """Raises InvalidInputError if `--from closed` finds no closed days in the environment."""
    if lines is Lines.CLOSED:
        return bool(closed_days_of(target))
    if not (days := _closed_days(target)):
        return False
    return closed_is_cheaper(days, _pages_since(target, days[-1]), _lines_of(target, merchant_id))


def _pages_since(target: "Target", last: "ClosedDayV1") -> int:
    """At most so many: positions count the pages of a shard."""
    before, now = last.positions, _progress(target).journaled_now()
    return sum(end.number - before.get(each, BEGINNING).number for each, end in now.items())


def _lines_of(target: "Target", merchant_id: str | None) -> int | None:
    if merchant_id is None:
        return None
    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
    return sum(each.operations_count for each in store.balances(merchant_id))


def _progress(target: "Target") -> DynamoStreamProgress:
    return DynamoStreamProgress(target.client("dynamodb"), target.balances_table)


def _from_log(log: str | None, env: str) -> Replaying:
    from falcon_balances.audit.replay import replay  # noqa: PLC0415 - Arrow

    source = log_source(log, env)
    return lambda selection, before=None: replay(source, selection, before)
