"""Where replay and compare take lines from: closed days, or the objects of the log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from falcon_balances.cli.audit.options import closed_folder, log_source
from falcon_balances.cli.errors import InvalidInputError

if TYPE_CHECKING:
    from falcon_balances.audit.log_objects import Selection
    from falcon_balances.audit.replay import Replayed
    from falcon_balances.cli.target import Target


class Lines(StrEnum):
    CLOSED = "closed"
    LOG = "log"


LinesOption = Annotated[
    Lines | None,
    typer.Option("--from", help="Closed days, or the objects of the log."),
]
Replaying = Callable[["Selection"], "Replayed"]


def closed_days_in(log: str | None, lines: Lines | None) -> Path | None:
    """The folder in `--log` if it holds closed days. Raises InvalidInputError if `--from` names
    what `--log` does not hold.
    """
    folder = closed_folder(log)
    if lines is Lines.CLOSED and folder is None and log is not None:
        raise InvalidInputError(f"--from closed: {log} holds no closed days")
    if lines is Lines.LOG and folder is not None:
        raise InvalidInputError(f"--from log: {folder} holds closed days, not a log")
    return folder


@contextmanager
def everything_counted(target: "Target", folder: Path) -> Iterator[Replaying]:
    """Replays the closed days in the folder, and what the environment's journal has since."""
    from falcon_balances.adapters.journal import S3Journal  # noqa: PLC0415
    from falcon_balances.adapters.stream_progress import DynamoStreamProgress  # noqa: PLC0415
    from falcon_balances.audit.closed_replay import ClosedDays  # noqa: PLC0415 - DuckDB
    from falcon_balances.audit.counted_since import KeptPages  # noqa: PLC0415
    from falcon_balances.audit.everything_counted import EverythingCounted  # noqa: PLC0415

    journal = S3Journal(target.client("s3"), target.journal_bucket)
    ends = DynamoStreamProgress(target.client("dynamodb"), target.balances_table)
    with TemporaryDirectory(prefix="falcon-journal-") as kept:
        pages = KeptPages(journal, Path(kept))
        yield EverythingCounted(ClosedDays(folder), pages, ends).replay


@contextmanager
def from_log(log: str | None, env: str) -> Iterator[Replaying]:
    """Replays the objects of the log."""
    from falcon_balances.audit.replay import replay  # noqa: PLC0415 - Arrow

    source = log_source(log, env)
    yield lambda selection: replay(source, selection)
