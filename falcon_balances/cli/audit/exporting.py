"""`falcon audit trial-balance | export`: the log as accounts, and for other people's tools."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from falcon_balances.cli import output
from falcon_balances.cli.audit.options import (
    AtOption,
    FromOption,
    LogOption,
    MerchantOption,
    ToOption,
    instant_of,
    log_source,
    selection_of,
)
from falcon_balances.cli.audit.replaying import print_findings, replay_log
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption

if TYPE_CHECKING:
    pass


class Format(StrEnum):
    HLEDGER = "hledger"
    BEANCOUNT = "beancount"


def trial_balance(
    *,
    log: LogOption = None,
    at: AtOption = None,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """What every account holds, debit and credit; each currency sums to zero (docs/accounts.md)."""
    from falcon_balances.audit import trial_balance as trial  # noqa: PLC0415 - Arrow

    replayed = replay_log(log, env, selection_of(), instant_of(at))
    rows = [each._asdict() for each in trial.trial_balance(replayed.sums)]
    if as_json:
        output.document(rows)
    elif rows:
        output.table(
            list(rows[0]),
            [list(each.values()) for each in rows],
            right=("debit", "credit", "balance"),
        )
    print_findings(replayed.findings, f"{replayed.objects} objects, {replayed.lines} lines")


def export(
    to_format: Annotated[Format, typer.Option("--format", help="For which tool.")],
    *,
    to: Annotated[
        Path | None, typer.Option("--output", help="A file; without it, standard output.")
    ] = None,
    log: LogOption = None,
    merchant: MerchantOption = None,
    since: FromOption = None,
    until: ToOption = None,
    env: EnvOption = LOCAL,
) -> None:
    """Write the log as a journal that asserts every balance of every day, for tools of others."""
    from falcon_balances.audit.journals import Beancount, Hledger, write_journal  # noqa: PLC0415

    dialect = Hledger() if to_format is Format.HLEDGER else Beancount()
    selection = selection_of(merchant, None, since, until)
    with output.progress("objects", None) as advance, _written_to(to) as file:
        findings = write_journal(log_source(log, env), selection, dialect, file, advance)
    print_findings(findings, "written")


@contextmanager
def _written_to(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
    else:
        with path.open("w", encoding="utf-8") as file:
            yield file
