"""Arguments and options that several commands about money share."""

from typing import Annotated

import typer

MerchantArgument = Annotated[str, typer.Argument(help="Whose money.")]
BalanceShopArgument = Annotated[str, typer.Argument(help="Which of the merchant's balances.")]
AmountArgument = Annotated[
    str, typer.Argument(help="As 12.50; no more decimals than the currency has.")
]
CurrencyArgument = Annotated[str, typer.Argument(help="ISO 4217, as EUR.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Until it is decided and counted.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait at most.")]
