"""`falcon ops`: what operators do: look into the quarantine, adjust, give a payout up."""

import base64
from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from falcon_balances.cli import findings, output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.options import (
    AmountArgument,
    BalanceShopArgument,
    CurrencyArgument,
    DryRun,
    MerchantArgument,
    TimeoutOption,
    WaitOption,
)
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.stages import StageName
from falcon_balances.cli.target import LOCAL, EnvOption, Target, find_target

if TYPE_CHECKING:
    from falcon_balances.adapters.quarantine import QuarantineReader

app = typer.Typer(help="For operators.", no_args_is_help=True)
quarantine = typer.Typer(help="What was refused: raw bytes, code, reason.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")

payouts_app = typer.Typer(help="Payouts that are stuck.", no_args_is_help=True)
app.add_typer(payouts_app, name="payout")
app.add_typer(findings.app, name="findings")

_SOURCES = ("confirmed", "reconciled", "payout", "adjustment", "stream", "parked")


@quarantine.command("list")
def list_refused(
    source: Annotated[
        str | None, typer.Option("--stage", help="A stage, or `stream` or `parked` for records.")
    ] = None,
    on: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Received on, UTC.")
    ] = None,
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print what lies in quarantine, by key; every refusal of the same bytes is listed."""
    if source is not None and source not in _SOURCES:
        raise InvalidInputError(f"--stage is one of {', '.join(_SOURCES)}")
    if on is not None and source is None:
        raise InvalidInputError("--date needs --stage")
    target = find_target(env)
    refused = list(_refused(target, _prefix(source, on.date() if on else None)))
    if as_json:
        output.json_lines(refused)
    else:
        columns = ("key", "received_at", "code", "reason")
        output.table(columns, [[each[column] for column in columns] for each in refused])


def _prefix(source: str | None, on: date | None) -> str:
    return (f"{source}/" if source else "") + (f"date={on}/" if on else "")


def _refused(target: Target, prefix: str) -> Iterator[dict[str, Any]]:
    reader = _reader(target)
    for key, version in reader.versions(prefix):
        yield {"key": key, "version": version, **reader.said_of(key, version)}


def _reader(target: Target) -> "QuarantineReader":
    from falcon_balances.adapters.quarantine import QuarantineReader  # noqa: PLC0415 - for --help

    return QuarantineReader(target.client("s3"), target.quarantine_bucket)


@quarantine.command("show")
def show(
    key: Annotated[str, typer.Argument(help="As `list` prints it.")],
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print one refused body with its code and reason."""
    target = find_target(env)
    found = _reader(target).read(key)
    if found is None:
        raise InvalidInputError("no such key in the quarantine")
    body, said = found
    if as_json:
        document = {"key": key, **said}
        output.document({**document, "body_base64": base64.b64encode(body).decode()})
        return
    output.pairs({"key": key, **said})
    output.line(body.decode("utf-8", "backslashreplace"))


@quarantine.command("release")
def release(
    keys: Annotated[list[str], typer.Argument(help="As `list` prints them, in their order.")],
    *,
    without_predecessor: Annotated[
        bool,
        typer.Option(
            "--without-predecessor", help="Claim missing revisions before it as empty; needs --by."
        ),
    ] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who answers for that.")] = None,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Send refused messages to their topics again, each with the revisions that wait behind it."""
    from falcon_balances.cli import releasing  # noqa: PLC0415 - not for --help
    from falcon_balances.contracts.blocks import is_id  # noqa: PLC0415

    if without_predecessor and (by is None or not is_id(by)):
        raise InvalidInputError("--without-predecessor needs --by, in an id's form")
    target = find_target(env)
    named = [releasing.find_refused(target, key) for key in keys]
    found = {
        each.key: each for first in named for each in (first, *releasing.behind(target, first))
    }
    if dry_run:
        output.note("dry run: nothing was sent")
    else:
        for each in named if without_predecessor else ():
            skipped = releasing.skip_missing(target, each, str(by))
            output.note(f"{each.key}: claimed as empty: revisions {skipped}")
        releasing.send_again(target, list(found.values()))
    rows = [{"key": each.key, "stage": each.stage, "code": each.code} for each in found.values()]
    if as_json:
        output.json_lines(rows)
    else:
        output.table(("key", "stage", "code"), [list(row.values()) for row in rows])


@app.command("adjust")
def adjust(
    merchant_id: MerchantArgument,
    balance_shop_id: BalanceShopArgument,
    direction: Annotated[str, typer.Argument(help="`credit` or `debit`.")],
    amount: AmountArgument,
    currency: CurrencyArgument,
    adjustment_id: Annotated[str, typer.Option("--adjustment-id", help="The same counts once.")],
    reason_code: Annotated[str, typer.Option("--reason-code", help="Of your own list of reasons.")],
    reason: Annotated[str, typer.Option("--reason", help="Up to 200 characters, for auditors.")],
    requested_by: Annotated[str, typer.Option("--requested-by", help="Who answers for it.")],
    *,
    corrects: Annotated[
        str | None, typer.Option("--corrects", help="The falcon_operation_id that it corrects.")
    ] = None,
    adjusted_at: Annotated[
        str | None, typer.Option("--adjusted-at", help="RFC 3339. Now when absent.")
    ] = None,
    wait: WaitOption = False,
    timeout_s: TimeoutOption = 120,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Correct a balance by a line of its own; nothing that is written changes."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - not for --help
    from falcon_balances.cli import adjustments, single  # noqa: PLC0415
    from falcon_balances.domain.instants import rfc3339  # noqa: PLC0415

    if direction == "credit" and corrects is not None:
        adjustments.check_credit(find_target(env), merchant_id, corrects)
    balance = single.Balance(merchant_id, balance_shop_id, amount, currency)
    event = balance.event(
        adjustment_id=adjustment_id,
        direction=direction,
        adjusted_at=adjusted_at or rfc3339(utc_now()),
        reason_code=reason_code,
        reason=reason,
        requested_by=requested_by,
        corrects=corrects,
    )
    sending = single.Sending(env=env, dry_run=dry_run, wait_s=timeout_s if wait else None)
    output.single(sending.send(StageName.ADJUSTMENT, event), as_json=as_json)


@payouts_app.command("give-up")
def give_up(
    merchant_id: MerchantArgument,
    payout_id: Annotated[str, typer.Argument(help="As its request says it.")],
    by: Annotated[str, typer.Option("--by", help="Who answers for it.")],
    *,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Give a payout up that was decided but never reached the log; its money is free again."""
    from falcon_balances.cli import payout_outcomes  # noqa: PLC0415 - not for --help
    from falcon_balances.contracts.blocks import is_id  # noqa: PLC0415

    if not is_id(by):
        raise InvalidInputError("--by: not of an id's form")
    if dry_run:
        output.note("dry run: nothing was given up")
    result = payout_outcomes.give_up(find_target(env), merchant_id, payout_id, by, dry_run=dry_run)
    payout_outcomes.show(result, as_json=as_json)
