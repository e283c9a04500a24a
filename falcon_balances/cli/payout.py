"""`falcon payout`: requests a payout, and shows what became of one."""

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
from falcon_balances.domain.payout_states import PayoutState

app = typer.Typer(help="Payouts: request, trace.", no_args_is_help=True)


@app.command("request")
def request(
    merchant_id: MerchantArgument,
    balance_shop_id: BalanceShopArgument,
    amount: AmountArgument,
    currency: CurrencyArgument,
    payout_id: Annotated[
        str,
        typer.Option("--payout-id", help="The merchant's id for this payout, which is paid once."),
    ],
    *,
    minimum_amount: Annotated[
        str | None,
        typer.Option("--minimum", help="If AMOUNT is not available, pay less, but at least this."),
    ] = None,
    requested_at: Annotated[
        str | None, typer.Option("--requested-at", help="A time in RFC 3339; now by default.")
    ] = None,
    valid_until: Annotated[
        str | None,
        typer.Option(
            "--valid-until",
            help="The last time to decide, in RFC 3339; three days after the request by default.",
        ),
    ] = None,
    wait: WaitOption = False,
    timeout_s: TimeoutOption = 120,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Publish a payout request; with --wait, show the decision."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - not for --help
    from falcon_balances.cli import payout_outcomes, single  # noqa: PLC0415
    from falcon_balances.domain.instants import rfc3339  # noqa: PLC0415

    balance = single.NamedBalance(merchant_id, balance_shop_id, amount, currency)
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
    if result.get("state", PayoutState.PAID) != PayoutState.PAID:
        raise InvalidInputError(f"the payout is {result['state']}")


@app.command("trace")
def trace(
    merchant_id: MerchantArgument,
    payout_id: Annotated[str, typer.Argument(help="The payout_id of its request.")],
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Show what became of a payout: decision, block, log object, counting, returns."""
    from falcon_balances.cli import payout_outcomes  # noqa: PLC0415 - not for --help

    said = payout_outcomes.story(find_target(env), merchant_id, payout_id)
    payout_outcomes.show(said, as_json=as_json)
