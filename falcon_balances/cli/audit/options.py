"""Options that several commands of `falcon audit` share, and what they mean."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.target import find_target

if TYPE_CHECKING:
    from falcon_balances.audit.log_objects import LogSource, Selection

LogOption = Annotated[
    str | None,
    typer.Option("--log", help="A folder or s3://BUCKET; the environment's bucket by default."),
]
MerchantOption = Annotated[str | None, typer.Option("--merchant", help="Only this merchant.")]
SinceOption = Annotated[str | None, typer.Option("--since", help="First day, such as 2026-11-20.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="The day after the last day.")]
ReplayedLogOption = Annotated[
    str | None,
    typer.Option(
        "--log",
        help="A folder (log or closed days) or s3://BUCKET; the environment's bucket by default.",
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", help="Only what is dated before this time, such as 2026-11-20T10:15:00Z."),
]
StageOption = Annotated[str | None, typer.Option("--stage", help="Only this stage.")]

UNSIGNED = "read from closed days, which nobody signed: --from log reads what manifests prove"


class Lines(StrEnum):
    CLOSED = "closed"
    LOG = "log"


LinesOption = Annotated[
    Lines | None,
    typer.Option("--from", help="Closed days, or the objects of the log."),
]


class Engine(StrEnum):
    LOCAL = "local"
    ATHENA = "athena"


S3 = "s3://"


def log_source(log: str | None, env: str) -> "LogSource":
    """The log that `--log` names; without the option, the environment's own bucket."""
    from falcon_balances.adapters.listed_objects import ListedObjects  # noqa: PLC0415
    from falcon_balances.audit.log_bucket import LogBucket  # noqa: PLC0415
    from falcon_balances.audit.log_folder import LogFolder  # noqa: PLC0415

    if log is None or log.startswith(S3):
        target = find_target(env)
        bucket = target.log_bucket if log is None else log.removeprefix(S3).strip("/")
        return LogBucket(ListedObjects(target.client("s3"), bucket))
    folder = Path(log)
    if not folder.is_dir():
        raise InvalidInputError(f"--log: {log} is not a folder")
    return LogFolder(folder)


def closed_folder(log: str | None) -> Path | None:
    """The folder in `--log` if it holds closed days, not a log's objects; else None."""
    from falcon_balances.audit.closed_days import is_closed_days  # noqa: PLC0415 - contracts

    if log is None or log.startswith(S3) or not is_closed_days(Path(log)):
        return None
    return Path(log)


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


def selection_of(
    merchant: str | None = None,
    stage: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> "Selection":
    from falcon_balances.audit.log_objects import Selection  # noqa: PLC0415
    from falcon_balances.domain.operations import Stage  # noqa: PLC0415

    if stage is not None and stage not in set(Stage):
        raise InvalidInputError(f"--stage: must be one of {', '.join(Stage)}")
    for name, day in (("--since", since), ("--until", until)):
        if day is not None:
            _check_day(name, day)
    return Selection(merchant, None if stage is None else Stage(stage), since, until)


def _check_day(option: str, text: str) -> None:
    from datetime import date  # noqa: PLC0415

    try:
        known = date.fromisoformat(text).isoformat() == text
    except ValueError:
        known = False
    if not known:
        raise InvalidInputError(f"{option}: must be a day, such as 2026-11-20")


def instant_of(text: str | None) -> str | None:
    from falcon_balances.domain.instants import parse_rfc3339, rfc3339  # noqa: PLC0415

    try:
        return None if text is None else rfc3339(parse_rfc3339(text).replace(microsecond=0))
    except ValueError as error:
        raise InvalidInputError(f"--at: {error}") from error
