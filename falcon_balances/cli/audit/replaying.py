"""`falcon audit replay | compare`: calculates every balance from the log alone."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from falcon_balances.cli import output
from falcon_balances.cli.audit.options import (
    UNSIGNED,
    AtOption,
    Engine,
    Lines,
    LinesOption,
    MerchantOption,
    ReplayedLogOption,
    SinceOption,
    StageOption,
    UntilOption,
    closed_days_in,
    closed_folder,
    instant_of,
    log_source,
    selection_of,
)
from falcon_balances.cli.errors import EXIT_MISMATCH, InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, find_target

if TYPE_CHECKING:
    from falcon_balances.audit.findings import LogFinding
    from falcon_balances.audit.log_objects import Selection
    from falcon_balances.audit.replay import Replayed


def replay(
    *,
    log: ReplayedLogOption = None,
    lines: LinesOption = None,
    merchant: MerchantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    at: AtOption = None,
    stage: StageOption = None,
    balances: Annotated[
        bool, typer.Option("--balances", help="Print the figures of each balance instead of sums.")
    ] = False,
    engine: Annotated[
        Engine,
        typer.Option(
            "--engine",
            help="Where lines are added up: here, or in Athena, which reads the environment's "
            "closed days.",
        ),
    ] = Engine.LOCAL,
    workgroup: Annotated[
        str, typer.Option("--workgroup", help="Athena's; it must say where results go.")
    ] = "primary",
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Calculate every balance from the log alone. Exit code 3 if the log has faults."""
    selection, before = selection_of(merchant, stage, since, until), instant_of(at)
    if engine is Engine.ATHENA:
        lines = _closed_for_athena(log, lines)
        replayed = _replay_by_athena(env, workgroup, selection, before)
    elif lines is Lines.CLOSED and log is None:
        replayed = _replay_environment(env, selection, before)
    else:
        replayed = replay_log(log, env, selection, before, lines)
    if balances:
        _print_balances(replayed, as_json=as_json)
    else:
        _print_sums(replayed, as_json=as_json)
    print_findings(replayed.findings, summary_of(replayed, log, lines))


def summary_of(replayed: "Replayed", log: str | None, lines: Lines | None = None) -> str:
    is_closed = lines is Lines.CLOSED or closed_folder(log) is not None
    what = "day" if is_closed else "object"
    return f"{output.count(replayed.objects, what)}, {output.count(replayed.lines, 'line')}"


def _replay_environment(env: str, selection: "Selection", before: str | None) -> "Replayed":
    """Everything that is counted, from the environment's closed days and its journal since."""
    from falcon_balances.cli.audit import line_sources  # noqa: PLC0415 - AWS

    everything = line_sources.everything_counted(find_target(env), None, Lines.CLOSED, None)
    with output.steps("adding up closed days"), everything as replaying:
        return replaying(selection, before)


def _closed_for_athena(log: str | None, lines: Lines | None) -> Lines:
    if log is not None or lines is Lines.LOG:
        raise InvalidInputError(
            "--engine athena reads the closed days of an environment: "
            "leave out --log and --from log"
        )
    return Lines.CLOSED


def _replay_by_athena(
    env: str, workgroup: str, selection: "Selection", before: str | None
) -> "Replayed":
    """What was counted on the closed days; nothing that was counted since."""
    from falcon_balances.adapters.athena import AthenaQueries  # noqa: PLC0415 - AWS
    from falcon_balances.audit.athena_replay import replay_by_athena  # noqa: PLC0415
    from falcon_balances.cli.audit.line_sources import closed_days_of  # noqa: PLC0415 - AWS

    target = find_target(env)
    days = closed_days_of(target)
    query = AthenaQueries(target.client("athena"), workgroup)
    with output.steps("adding up closed days in Athena"):
        replayed = replay_by_athena(query, target.closed_days_table, days, selection, before)
    output.note(f"counted until the end of {days[-1].date}, and nothing since")
    return replayed


def replay_log(
    log: str | None,
    env: str,
    selection: "Selection",
    before: str | None,
    lines: Lines | None = None,
) -> "Replayed":
    from falcon_balances.audit.replay import replay as replay_source  # noqa: PLC0415 - Arrow

    if (closed := closed_days_in(log, lines)) is not None:
        from falcon_balances.audit.closed_replay import replay_closed  # noqa: PLC0415 - DuckDB

        output.note(UNSIGNED)
        with output.steps("adding up closed days"):
            return replay_closed(closed, selection, before)
    with output.progress("objects", None) as advance:
        return replay_source(
            log_source(log, env), selection, before, advance, processes=os.cpu_count() or 1
        )


def compare(
    *,
    log: ReplayedLogOption = None,
    lines: LinesOption = None,
    merchant: MerchantOption = None,
    api: Annotated[
        bool, typer.Option("--api", help="Compare with the API too, using your IAM identity.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0, help="How many seconds to wait for events in progress."),
    ] = 60,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Compare the log with the table and the API. Exit code 3 if a figure differs.

    Closed days are compared together with what the environment's journal has since. Without --log
    and --from it reads closed days or the log, whichever takes fewer requests.
    """
    from falcon_balances.cli.audit import line_sources  # noqa: PLC0415 - AWS
    from falcon_balances.cli.audit.comparing import Comparison  # noqa: PLC0415 - Arrow

    target = find_target(env)
    everything = line_sources.everything_counted(target, log, lines, merchant)
    with output.steps("comparing"), everything as replaying:
        compared = Comparison(target, replaying, with_api=api).run(merchant, timeout)
    rows = [
        {
            "with": each.other_side,
            **each.difference.balance._asdict(),
            "figure": each.difference.figure,
            "log": each.difference.log,
            "there": each.difference.other,
        }
        for each in compared.differing
    ]
    if as_json:
        output.document({"balances": compared.balances, "differences": rows})
    elif rows:
        output.table(list(rows[0]), [list(row.values()) for row in rows], right=["log", "there"])
    print_findings(compared.findings, f"{output.count(compared.balances, 'balance')} compared")
    if rows:
        output.fail(output.count(len(rows), "figure differs", "figures differ"))
        raise typer.Exit(EXIT_MISMATCH)
    output.note("all equal")


def _print_sums(replayed: "Replayed", *, as_json: bool) -> None:
    from falcon_balances.contracts.currencies import scaled  # noqa: PLC0415

    rows = [
        {**key._asdict(), "amount": scaled(total.minor, key.currency), "lines": total.lines}
        for key, total in replayed.sums.items()
    ]
    _print(replayed, "sums", rows, as_json=as_json)


def _print_balances(replayed: "Replayed", *, as_json: bool) -> None:
    from falcon_balances.audit.balances import balances_of  # noqa: PLC0415
    from falcon_balances.contracts.balance_document import BalanceV1  # noqa: PLC0415

    rows = []
    for each, balance in balances_of(replayed.sums, replayed.agreements).items():
        figures = BalanceV1.of(balance).model_dump(exclude={"blocked", "negative_since"})
        rows.append({"merchant_id": each.merchant_id, **figures})
    _print(replayed, "balances", rows, as_json=as_json)


def _print(replayed: "Replayed", name: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        output.document(
            {
                "objects": replayed.objects,
                "lines": replayed.lines,
                "bytes": replayed.bytes_read,
                name: rows,
                "findings": [
                    {"key": each.key, "problem": each.problem, "detail": each.detail}
                    for each in replayed.findings
                ],
            }
        )
    elif rows:
        columns = list(rows[0])
        texts = {"merchant_id", "balance_shop_id", "currency", "stage", "type"}
        output.table(
            columns,
            [list(row.values()) for row in rows],
            right=[each for each in columns if each not in texts],
        )


def print_findings(findings: Sequence["LogFinding"], summary: str) -> None:
    """Prints the faults of the log; exit code 3 if there are any."""
    for each in findings:
        output.warn(f"{each.key}: {each.problem}: {each.detail}")
    output.note(summary)
    if findings:
        output.fail(output.count(len(findings), "finding"))
        raise typer.Exit(EXIT_MISMATCH)
