"""`falcon audit reconcile`: compares bank statements with the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from falcon_balances.cli import output
from falcon_balances.cli.audit.options import (
    LogOption,
    SinceOption,
    UntilOption,
    log_source,
    selection_of,
)
from falcon_balances.cli.audit.replaying import print_findings
from falcon_balances.cli.errors import EXIT_INVALID, EXIT_MISMATCH, InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption

if TYPE_CHECKING:
    from falcon_balances.contracts.bank_statement_lines import BankStatement
    from falcon_balances.contracts.bank_statements_csv import CsvForm
    from falcon_balances.domain.bank_statement_lines import Period
    from falcon_balances.domain.operations import Stage

DAYS = 3


def reconcile(
    *,
    statement: Annotated[
        list[Path], typer.Option("--statement", help="A CSV or camt.053 file; can be repeated.")
    ],
    log: LogOption = None,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", help="The stage of the statements; reconciled by default."),
    ] = None,
    psp: Annotated[str | None, typer.Option("--psp", help="Only operations of this PSP.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    days: Annotated[
        int, typer.Option("--days", min=0, max=366, help="How many days the two dates may differ.")
    ] = DAYS,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="A column's name, such as reference='Merchant Reference'."),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option("--currency", help="The currency of every line, if no column gives it."),
    ] = None,
    delimiter: Annotated[str, typer.Option("--delimiter", help="Delimiter of the CSV.")] = ",",
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Compare bank statements with the log. Exit code 3 if anything is open."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415
    from falcon_balances.audit.settlements import operations_in  # noqa: PLC0415 - Arrow
    from falcon_balances.contracts.reconciliation_report import report  # noqa: PLC0415
    from falcon_balances.domain import reconciliation  # noqa: PLC0415

    stages = _stages(stage)
    statements = _read(statement, _form(column, currency, delimiter))
    period = _period(since, until, statements)
    findings: list[Any] = []
    with output.progress("objects", None) as advance:
        ours = operations_in(log_source(log, env), stages, period.widened(days), findings, advance)
    found = reconciliation.reconcile(
        [each for each in ours if psp in (None, each.psp_id)],
        [line for each in statements for line in each.lines],
        period,
        days,
    )
    document = {
        "from": None if period.since is None else period.since.isoformat(),
        "to": None if period.until is None else period.until.isoformat(),
        "pending": sum(each.pending for each in statements),
        **report(found, utc_now().date(), days),
    }
    _print(document, as_json=as_json)
    print_findings(findings, _summary(document))
    if document["open"]:
        output.fail(output.count(len(document["open"]), "open difference"))
        raise typer.Exit(EXIT_MISMATCH)


def _stages(names: list[str] | None) -> "list[Stage]":
    from falcon_balances.domain.operations import Stage  # noqa: PLC0415

    return [
        each for name in dict.fromkeys(names or ["reconciled"]) if (each := _stage(name)) in Stage
    ]


def _stage(name: str) -> "Stage":
    stage = selection_of(stage=name).stage
    assert stage is not None  # noqa: S101 - a name was given
    return stage


def _form(columns: list[str] | None, currency: str | None, delimiter: str) -> "CsvForm":
    from falcon_balances.contracts.bank_statement_lines import currency_of  # noqa: PLC0415
    from falcon_balances.contracts.bank_statements_csv import COLUMNS, CsvForm  # noqa: PLC0415

    names = {}
    for each in columns or []:
        ours, equals, theirs = each.partition("=")
        if not equals or ours not in COLUMNS or not theirs:
            raise InvalidInputError(
                f"--column: must be OURS=THEIRS, with OURS one of {', '.join(COLUMNS)}"
            )
        names[ours] = theirs
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise InvalidInputError("--delimiter: must be one character")
    if currency is not None:
        try:
            currency_of(currency)
        except ValueError as error:
            raise InvalidInputError(f"--{error}") from error
    return CsvForm(names, currency, delimiter)


def _read(paths: list[Path], form: "CsvForm") -> "list[BankStatement]":
    """All bank statements; exit code 1, with all their errors, if one cannot be read."""
    from falcon_balances.contracts.bank_statement_lines import InvalidBankStatementError  # noqa: PLC0415
    from falcon_balances.contracts.bank_statements import (  # noqa: PLC0415
        BANK_STATEMENT_BYTES_MAX,
        read_bank_statement,
    )

    statements, is_wrong = [], False
    for path in paths:
        try:
            with path.open("rb") as file:
                body = file.read(BANK_STATEMENT_BYTES_MAX + 1)
        except OSError as error:
            raise InvalidInputError(f"--statement: {path}: {error.strerror}") from error
        try:
            statements.append(read_bank_statement(path.name, body, form))
        except InvalidBankStatementError as invalid:
            is_wrong = True
            for place, reason in invalid.problems:
                output.fail(f"{place}: {reason}")
    if is_wrong:
        output.note("nothing was compared")
        raise typer.Exit(EXIT_INVALID)
    return statements


def _period(since: str | None, until: str | None, statements: "list[BankStatement]") -> "Period":
    """The period of the options, or of all bank statements. A period from the lines would shrink
    with missing lines.
    """
    from datetime import date  # noqa: PLC0415

    from falcon_balances.domain.bank_statement_lines import Period, spanning  # noqa: PLC0415

    selection_of(since=since, until=until)
    said = spanning([each.period for each in statements])
    return Period(
        said.since if since is None else date.fromisoformat(since),
        said.until if until is None else date.fromisoformat(until),
    )


def _print(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.document(document)
        return
    for rows in (document["open"], document["ages"]):
        if rows:
            right = ("ours", "theirs", "age_days", "items", "debit", "credit")
            output.table(list(rows[0]), [list(row.values()) for row in rows], right=right)


def _summary(document: dict[str, Any]) -> str:
    amounts = ", ".join(f"{amount} {code}" for code, amount in document["matched_amounts"].items())
    bounds = f"from {document['from'] or 'the beginning'} to {document['to'] or 'the end'}"
    pending = f", {document['pending']} pending left out" if document["pending"] else ""
    matched = output.count(document["matched"], "line")
    return f"{bounds} of the log: {matched} matched ({amounts or '0'}){pending}"
