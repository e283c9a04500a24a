"""`falcon audit trial-balance | export`: the log as accounts, and in formats of other tools."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from falcon_balances.cli import output
from falcon_balances.cli.audit.options import (
    AtOption,
    LogOption,
    MerchantOption,
    ReplayedLogOption,
    SinceOption,
    UntilOption,
    closed_folder,
    instant_of,
    log_source,
    selection_of,
)
from falcon_balances.cli.audit.replaying import print_findings, replay_log, summary_of
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption

if TYPE_CHECKING:
    from falcon_balances.audit.findings import LogFinding
    from falcon_balances.audit.log_objects import LogSource, Selection


class Format(StrEnum):
    HLEDGER = "hledger"
    BEANCOUNT = "beancount"
    PARQUET = "parquet"
    CSV = "csv"


def trial_balance(
    *,
    log: ReplayedLogOption = None,
    at: AtOption = None,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print every account's balance, and the age of open amounts; currencies sum to zero."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415
    from falcon_balances.audit import open_items  # noqa: PLC0415 - Arrow
    from falcon_balances.audit import trial_balance as trial  # noqa: PLC0415
    from falcon_balances.audit.not_fitting import Facts  # noqa: PLC0415
    from falcon_balances.audit.notes import by_kind  # noqa: PLC0415
    from falcon_balances.contracts.currencies import scaled  # noqa: PLC0415
    from falcon_balances.domain.ageing import by_age  # noqa: PLC0415

    today = utc_now().date()
    replayed = replay_log(log, env, selection_of(), instant_of(at))
    accounts = [each._asdict() for each in trial.trial_balance(replayed.sums, replayed.agreements)]
    ages = []
    kinds = None  # not shown
    left_out: list[LogFinding] = []
    if closed_folder(log) is not None:
        output.note(
            "findings and the age of open operations need the log's objects, not closed days"
        )
    elif at is None:
        facts = Facts()
        with output.progress("open operations", None) as advance:
            items = open_items.open_items(log_source(log, env), left_out, advance, facts.add)
        kinds = [each._asdict() for each in by_kind(facts.all())]
        ages = [
            {
                "currency": each.currency,
                "figure": figure,
                "age": each.age,
                "operations": each.items,
                "amount": scaled(each.debit, each.currency),
            }
            for figure in open_items.OPEN_FIGURES
            for each in by_age((item for item in items if item.figure == figure), today)
        ]
    if as_json:
        output.document({"accounts": accounts, "open": ages, "does_not_fit": kinds})
    else:
        for rows in (accounts, ages, kinds):
            if rows:
                right = ("debit", "credit", "balance", "operations", "amount", "findings")
                output.table(list(rows[0]), [list(row.values()) for row in rows], right=right)
    findings = sorted({*replayed.findings, *left_out})
    print_findings(findings, summary_of(replayed, log))


def export(
    to_format: Annotated[Format, typer.Option("--format", help="The format to write.")],
    *,
    to: Annotated[
        Path | None, typer.Option("--output", help="A file; standard output by default.")
    ] = None,
    log: LogOption = None,
    merchant: MerchantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    env: EnvOption = LOCAL,
) -> None:
    """Write the log for other tools: a journal that asserts every balance, or a table."""
    selection = selection_of(merchant, None, since, until)
    source = log_source(log, env)
    with output.progress("objects", None) as advance:
        if to_format in (Format.PARQUET, Format.CSV):
            findings = _write_table(to_format, source, selection, to, advance)
        else:
            findings = _write_journal(to_format, source, selection, to, advance)
    print_findings(findings, "written")


def _write_journal(
    to_format: Format,
    source: "LogSource",
    selection: "Selection",
    to: Path | None,
    advance: Callable[[int], None],
) -> "list[LogFinding]":
    from falcon_balances.audit.dialects import Beancount, Hledger  # noqa: PLC0415 - Arrow
    from falcon_balances.audit.journals import write_journal  # noqa: PLC0415

    dialect = Hledger() if to_format is Format.HLEDGER else Beancount()
    with _written_to(to) as file:
        return write_journal(source, selection, dialect, file, advance)


def _write_table(
    to_format: Format,
    source: "LogSource",
    selection: "Selection",
    to: Path | None,
    advance: Callable[[int], None],
) -> "list[LogFinding]":
    from falcon_balances.audit import extracts  # noqa: PLC0415 - Arrow

    if to is None:
        raise InvalidInputError(f"--format {to_format} needs --output")
    write = extracts.write_parquet if to_format is Format.PARQUET else extracts.write_csv
    return write(source, selection, to, advance)


@contextmanager
def _written_to(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
    else:
        with path.open("w", encoding="utf-8") as file:
            yield file
