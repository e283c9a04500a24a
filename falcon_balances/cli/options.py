"""Arguments and options that several commands about money share."""

from typing import Annotated

import typer

MerchantArgument = Annotated[str, typer.Argument(help="The merchant's id.")]
BalanceShopArgument = Annotated[str, typer.Argument(help="The balance shop of the merchant.")]
AmountArgument = Annotated[str, typer.Argument(help="Amount, such as 12.50.")]
CurrencyArgument = Annotated[str, typer.Argument(help="ISO 4217 code, such as EUR.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait until the message is decided and counted.")
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0, help="How many seconds to wait at most.")
]
