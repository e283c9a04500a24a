"""`falcon payout`: requests a payout, and says what became of one."""

from typing import Annotated, Any

import typer

from falcon_balances.cli import output
from falcon_balances.cli.block import DryRun
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.stages import StageName
from falcon_balances.cli.target import LOCAL, EnvOption, find_target

app = typer.Typer(help="Payouts: request, trace.", no_args_is_help=True)

WaitOption = Annotated[bool, typer.Option("--wait", help="Until it is decided and counted.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait at most.")]


@app.command("request")
def request(
    merchant_id: Annotated[str, typer.Argument(help="Who is paid.")],
    balance_shop_id: Annotated[str, typer.Argument(help="From which balance.")],
    amount: Annotated[str, typer.Argument(help="As 12.50; no more decimals than the currency.")],
    currency: Annotated[str, typer.Argument(help="ISO 4217, as EUR.")],
    payout_id: Annotated[str, typer.Option("--payout-id", help="The same id is paid once.")],
    *,
    minimum_amount: Annotated[
        str | None, typer.Option("--minimum", help="Pay what there is, if at least this.")
    ] = None,
    requested_at: Annotated[
        str | None, typer.Option("--requested-at", help="RFC 3339. Now when absent.")
    ] = None,
    wait: WaitOption = False,
    timeout_s: TimeoutOption = 120,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Publish a payout request; with --wait, say what was decided."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - not for --help
    from falcon_balances.cli import payouts, single  # noqa: PLC0415
    from falcon_balances.domain.instants import rfc3339  # noqa: PLC0415

    event = single.said(
        {
            "schema_version": "1",
            "payout_id": payout_id,
            "merchant_id": merchant_id,
            "balance_shop_id": balance_shop_id,
            "amount": amount,
            "currency": currency,
            "requested_at": requested_at or rfc3339(utc_now()),
            "minimum_amount": minimum_amount,
        }
    )
    single.check(StageName.PAYOUT, event, env)
    target = find_target(env)
    if dry_run:
        output.note("dry run: nothing was sent")
        single.show(event, as_json=as_json)
        return
    result: dict[str, Any] = single.send(
        target, StageName.PAYOUT, event, timeout_s if wait else None
    )
    if wait:
        result = payouts.story(target, payout_id)
    payouts.show(result, as_json=as_json)
    if wait and result["state"] != "paid":
        raise InvalidInputError(f"the payout is {result['state']}")


@app.command("trace")
def trace(
    payout_id: Annotated[str, typer.Argument(help="As its request says it.")],
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Say what became of a payout: decision, block, log object, counting, and its return."""
    from falcon_balances.cli import payouts  # noqa: PLC0415 - not for --help

    payouts.show(payouts.story(find_target(env), payout_id), as_json=as_json)
