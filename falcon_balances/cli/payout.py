"""`falcon payout`: requests a payout, and says what became of one."""

from typing import Annotated

import typer

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
from falcon_balances.cli.target import LOCAL, EnvOption, find_target

app = typer.Typer(help="Payouts: request, trace.", no_args_is_help=True)


@app.command("request")
def request(
    merchant_id: MerchantArgument,
    balance_shop_id: BalanceShopArgument,
    amount: AmountArgument,
    currency: CurrencyArgument,
    payout_id: Annotated[str, typer.Option("--payout-id", help="Of this merchant; paid once.")],
    *,
    minimum_amount: Annotated[
        str | None, typer.Option("--minimum", help="Pay what there is, if at least this.")
    ] = None,
    requested_at: Annotated[
        str | None, typer.Option("--requested-at", help="RFC 3339. Now when absent.")
    ] = None,
    valid_until: Annotated[
        str | None,
        typer.Option("--valid-until", help="RFC 3339. Three days after it was asked when absent."),
    ] = None,
    wait: WaitOption = False,
    timeout_s: TimeoutOption = 120,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Publish a payout request; with --wait, say what was decided."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - not for --help
    from falcon_balances.cli import payout_outcomes, single  # noqa: PLC0415
    from falcon_balances.domain.instants import rfc3339  # noqa: PLC0415

    balance = single.Balance(merchant_id, balance_shop_id, amount, currency)
    event = balance.event(
        payout_id=payout_id,
        requested_at=requested_at or rfc3339(utc_now()),
        valid_until=valid_until,
        minimum_amount=minimum_amount,
    )
    sending = single.Sending(env=env, dry_run=dry_run, wait_s=timeout_s if wait else None)
    result = sending.send(StageName.PAYOUT, event)
    if wait and not dry_run:
        result = payout_outcomes.story(find_target(env), merchant_id, payout_id)
    payout_outcomes.show(result, as_json=as_json)
    if result.get("state", "paid") != "paid":
        raise InvalidInputError(f"the payout is {result['state']}")


@app.command("trace")
def trace(
    merchant_id: MerchantArgument,
    payout_id: Annotated[str, typer.Argument(help="As its request says it.")],
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Say what became of a payout: decision, block, log object, counting, and its returns."""
    from falcon_balances.cli import payout_outcomes  # noqa: PLC0415 - not for --help

    said = payout_outcomes.story(find_target(env), merchant_id, payout_id)
    payout_outcomes.show(said, as_json=as_json)
