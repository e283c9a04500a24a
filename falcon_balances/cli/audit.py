"""`falcon audit`: the log replayed, compared, exported, explained, sealed and proved."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import EXIT_MISMATCH, InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, find_target

if TYPE_CHECKING:
    from falcon_balances.audit.log_objects import LogSource, Selection
    from falcon_balances.audit.replay import Replayed

app = typer.Typer(help="For auditors: replay, prove, explain.", no_args_is_help=True)

LogOption = Annotated[
    str | None,
    typer.Option("--log", help="A folder, or s3://BUCKET; without it the environment's bucket."),
]
MerchantOption = Annotated[str | None, typer.Option("--merchant", help="Only this merchant.")]
FromOption = Annotated[str | None, typer.Option("--from", help="First day, as 2026-11-20.")]
ToOption = Annotated[str | None, typer.Option("--to", help="The day after the last.")]
AtOption = Annotated[
    str | None, typer.Option("--at", help="Only what is dated before, as 2026-11-20T10:15:00Z.")
]
StageOption = Annotated[str | None, typer.Option("--stage", help="Only this stage.")]

_S3 = "s3://"


@app.command()
def replay(
    *,
    log: LogOption = None,
    merchant: MerchantOption = None,
    since: FromOption = None,
    until: ToOption = None,
    at: AtOption = None,
    stage: StageOption = None,
    balances: Annotated[
        bool, typer.Option("--balances", help="The figures of each balance, not its sums.")
    ] = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Add the log up: every balance from its lines alone. Exit 3 where the log is flawed."""
    replayed = replay_log(log, env, _selection(merchant, stage, since, until), _instant(at))
    if balances:
        _print_balances(replayed, as_json=as_json)
    else:
        _print_sums(replayed, as_json=as_json)
    _print_findings(replayed)


def replay_log(log: str | None, env: str, selection: "Selection", before: str | None) -> "Replayed":
    from falcon_balances.audit.replay import replay as replay_source  # noqa: PLC0415 - Arrow

    with output.progress("objects", None) as advance:
        return replay_source(log_source(log, env), selection, before, advance)


@app.command()
def compare(
    *,
    log: LogOption = None,
    merchant: MerchantOption = None,
    api: Annotated[bool, typer.Option("--api", help="With the API too, by IAM.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds for what is under way to arrive.")
    ] = 60,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Set the log against the table, and the API. Exit 3 where any figure differs."""
    from falcon_balances.cli.comparing import Comparison  # noqa: PLC0415 - Arrow

    target = find_target(env)
    comparison = Comparison(target, log_source(log, env), with_api=api)
    with output.steps("comparing"):
        compared = comparison.run(merchant, timeout)
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
    for finding in compared.findings:
        output.warn(f"{finding.key}: {finding.problem}: {finding.detail}")
    if rows or compared.findings:
        output.fail(f"{len(rows)} figures differ, {len(compared.findings)} findings")
        raise typer.Exit(EXIT_MISMATCH)
    output.note(f"{compared.balances} balances, all equal")


def log_source(log: str | None, env: str) -> "LogSource":
    """Where `--log` points to; without it, the environment's own bucket."""
    from falcon_balances.audit.log_objects import LogBucket, LogFolder  # noqa: PLC0415

    if log is None or log.startswith(_S3):
        target = find_target(env)
        bucket = target.log_bucket if log is None else log.removeprefix(_S3).strip("/")
        return LogBucket(target.client("s3"), bucket)
    folder = Path(log)
    if not folder.is_dir():
        raise InvalidInputError(f"--log: {log} is no folder")
    return LogFolder(folder)


def _selection(
    merchant: str | None, stage: str | None, since: str | None, until: str | None
) -> "Selection":
    from falcon_balances.audit.log_objects import Selection  # noqa: PLC0415
    from falcon_balances.domain.operations import Stage  # noqa: PLC0415

    if stage is not None and stage not in set(Stage):
        raise InvalidInputError(f"--stage: one of {', '.join(Stage)}")
    for name, day in (("--from", since), ("--to", until)):
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
        raise InvalidInputError(f"{option}: a day as 2026-11-20")


def _instant(text: str | None) -> str | None:
    from falcon_balances.domain.instants import parse_rfc3339, rfc3339  # noqa: PLC0415

    try:
        return None if text is None else rfc3339(parse_rfc3339(text).replace(microsecond=0))
    except ValueError as error:
        raise InvalidInputError(f"--at: {error}") from error


def _print_sums(replayed: "Replayed", *, as_json: bool) -> None:
    from falcon_balances.contracts.currencies import written_currency  # noqa: PLC0415
    from falcon_balances.domain.money import at_full_scale  # noqa: PLC0415

    rows = []
    for key, total in replayed.sums.items():
        currency = written_currency(key.currency)
        assert currency is not None  # noqa: S101 - replay refuses what is no currency
        amount = at_full_scale(total.minor, currency.exponent)
        rows.append({**key._asdict(), "amount": amount, "lines": total.lines})
    _print(replayed, "sums", rows, as_json=as_json)


def _print_balances(replayed: "Replayed", *, as_json: bool) -> None:
    from falcon_balances.audit.balances import balances_of  # noqa: PLC0415
    from falcon_balances.contracts.balance_document import BalanceV1  # noqa: PLC0415

    rows = []
    for each, balance in balances_of(replayed.sums).items():
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


def _print_findings(replayed: "Replayed") -> None:
    for each in replayed.findings:
        output.warn(f"{each.key}: {each.problem}: {each.detail}")
    output.note(f"{replayed.objects} objects, {replayed.lines} lines")
    if replayed.findings:
        output.fail(f"{len(replayed.findings)} findings")
        raise typer.Exit(EXIT_MISMATCH)
