"""`falcon ops`: commands for operators: quarantine, adjustments, stuck payouts."""

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

app = typer.Typer(
    help="For operators: quarantine, findings, adjustments, stuck payouts.", no_args_is_help=True
)
quarantine = typer.Typer(help="Refused messages: list, show, release.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")

payouts_app = typer.Typer(help="Payouts that are stuck: give up.", no_args_is_help=True)
app.add_typer(payouts_app, name="payout")
app.add_typer(findings.app, name="findings")

_SOURCES = ("confirmed", "reconciled", "payout", "adjustment", "stream", "parked")


@quarantine.command("list")
def list_refused(
    source: Annotated[
        str | None,
        typer.Option("--stage", help="A stage, or `stream` or `parked` for stream records."),
    ] = None,
    on: Annotated[
        datetime | None,
        typer.Option(
            "--date", formats=["%Y-%m-%d"], help="The UTC day of receipt, such as 2026-11-20."
        ),
    ] = None,
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """List quarantine by key, with every refusal of the same bytes."""
    if source is not None and source not in _SOURCES:
        raise InvalidInputError(f"--stage: must be one of {', '.join(_SOURCES)}")
    if on is not None and source is None:
        raise InvalidInputError("--date requires --stage")
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
    key: Annotated[str, typer.Argument(help="The id or key that `list` prints.")],
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print one refused body with its code and reason."""
    target = find_target(env)
    found = _reader(target).read(key)
    if found is None:
        raise InvalidInputError("unknown key: no refused message has it")
    body, said = found
    if as_json:
        document = {"key": key, **said}
        output.document({**document, "body_base64": base64.b64encode(body).decode()})
        return
    output.pairs({"key": key, **said})
    output.line(body.decode("utf-8", "backslashreplace"))


@quarantine.command("release")
def release(
    keys: Annotated[
        list[str], typer.Argument(help="Keys in the order in which `list` prints them.")
    ],
    *,
    without_predecessor: Annotated[
        bool,
        typer.Option(
            "--without-predecessor",
            help="Treat the missing earlier revisions as empty; requires --by.",
        ),
    ] = False,
    by: Annotated[
        str | None, typer.Option("--by", help="The id of the person responsible.")
    ] = None,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Send refused messages again, each with the revisions that wait for it."""
    from falcon_balances.cli import releasing  # noqa: PLC0415 - not for --help
    from falcon_balances.contracts.blocks import is_id  # noqa: PLC0415
    from falcon_balances.contracts.formats import ID_PATTERN, WORDS  # noqa: PLC0415

    if without_predecessor and (by is None or not is_id(by)):
        raise InvalidInputError(f"--without-predecessor requires --by: {WORDS[ID_PATTERN]}")
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
            output.note(f"{each.key}: these earlier revisions are now claimed as empty: {skipped}")
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
    direction: Annotated[str, typer.Argument(help="credit or debit.")],
    amount: AmountArgument,
    currency: CurrencyArgument,
    adjustment_id: Annotated[
        str,
        typer.Option("--adjustment-id", help="An id of your choice; the same id counts only once."),
    ],
    reason_code: Annotated[
        str, typer.Option("--reason-code", help="A code from your own list of reasons.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", help="The reason, for auditors; up to 200 characters.")
    ],
    requested_by: Annotated[
        str, typer.Option("--requested-by", help="The id of the person responsible.")
    ],
    *,
    corrects: Annotated[
        str | None,
        typer.Option("--corrects", help="The falcon_operation_id of the corrected operation."),
    ] = None,
    adjusted_at: Annotated[
        str | None, typer.Option("--adjusted-at", help="A time in RFC 3339; now by default.")
    ] = None,
    wait: WaitOption = False,
    timeout_s: TimeoutOption = 120,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Correct a balance with a new line; existing lines never change."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - not for --help
    from falcon_balances.cli import adjustments, single  # noqa: PLC0415
    from falcon_balances.domain.instants import rfc3339  # noqa: PLC0415

    if direction == "credit" and corrects is not None:
        adjustments.check_credit(find_target(env), merchant_id, corrects)
    balance = single.NamedBalance(merchant_id, balance_shop_id, amount, currency)
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
    payout_id: Annotated[str, typer.Argument(help="The payout_id of its request.")],
    by: Annotated[str, typer.Option("--by", help="The id of the person responsible.")],
    *,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Give up a payout that was decided but never logged, and release its money."""
    from falcon_balances.cli import payout_outcomes  # noqa: PLC0415 - not for --help
    from falcon_balances.contracts.blocks import is_id  # noqa: PLC0415
    from falcon_balances.contracts.formats import ID_PATTERN, WORDS  # noqa: PLC0415

    if not is_id(by):
        raise InvalidInputError(f"--by: must be {WORDS[ID_PATTERN]}")
    if dry_run:
        output.note("dry run: nothing was given up")
    result = payout_outcomes.give_up(find_target(env), merchant_id, payout_id, by, dry_run=dry_run)
    payout_outcomes.show(result, as_json=as_json)
