"""`falcon block`: sets money aside by hand through the systems' API, and releases it."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.options import (
    AmountArgument,
    BalanceShopArgument,
    CurrencyArgument,
    DryRun,
    MerchantArgument,
)
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, Target, find_target

app = typer.Typer(
    help="Blocks (money set aside): create, list, show, release.", no_args_is_help=True
)

BlockArgument = Annotated[str, typer.Argument(help="The id or key that `list` prints.")]
_COLUMNS = ("block_id", "purpose", "reference", "status", "amount", "currency", "expiry")


@app.command("create")
def create(
    merchant_id: MerchantArgument,
    balance_shop_id: BalanceShopArgument,
    amount: AmountArgument,
    currency: CurrencyArgument,
    reference: Annotated[
        str, typer.Option("--reference", help="What the block is for, such as a case number.")
    ],
    key: Annotated[
        str, typer.Option("--key", help="Idempotency key: the same key finds the same block.")
    ],
    *,
    expires_in_s: Annotated[
        int | None,
        typer.Option(
            "--expires-in", help="Seconds until the block expires; by default it never does."
        ),
    ] = None,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Set an amount aside if it is available. A repeated --key gets the first decision."""
    from falcon_balances.contracts.blocks import BlockRequestV1  # noqa: PLC0415 - not for --help

    asked: dict[str, Any] = {
        "balance_shop_id": balance_shop_id,
        "amount": amount,
        "currency": currency,
        "reference": reference,
    }
    if expires_in_s is not None:
        asked["expires_in_seconds"] = expires_in_s
    wanted = BlockRequestV1.validated(asked).minor
    target = find_target(env)
    if dry_run:
        available = _available(target, merchant_id, balance_shop_id, currency)
        _show_dry_run(asked, available, is_covered=_minor(available) >= wanted, as_json=as_json)
        return
    block = _call(target, "POST", f"{_blocks(merchant_id)}", asked, {"Idempotency-Key": key})
    output.single({**block, "key": key}, as_json=as_json)


@app.command("list")
def list_blocks(
    merchant_id: MerchantArgument, *, env: EnvOption = LOCAL, as_json: JsonFlag = False
) -> None:
    """List a merchant's blocks, newest first, with those that ended or were refused."""
    blocks = _call(find_target(env), "GET", _blocks(merchant_id))["blocks"]
    if as_json:
        output.json_lines(blocks)
    else:
        rows = [[each[column] for column in _COLUMNS] for each in blocks]
        output.table(_COLUMNS, rows, right=("amount",))


@app.command("show")
def show(
    merchant_id: MerchantArgument,
    block_id: BlockArgument,
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print one block."""
    output.single(_call(find_target(env), "GET", _block(merchant_id, block_id)), as_json=as_json)


@app.command("release")
def release(
    merchant_id: MerchantArgument,
    block_id: BlockArgument,
    *,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Release an active block. A payout's block cannot be released."""
    target = find_target(env)
    if not dry_run:
        path = f"{_block(merchant_id, block_id)}/release"
        output.single(_call(target, "POST", path), as_json=as_json)
        return
    block = _call(target, "GET", _block(merchant_id, block_id))
    if block["purpose"] == "payout" or block["status"] not in ("active", "released"):
        raise InvalidInputError(
            f"a {block['purpose']} block that is {block['status']} cannot be released"
        )
    output.note("dry run: nothing was released")
    output.single(block, as_json=as_json)


def _show_dry_run(
    asked: dict[str, Any], available: str, *, is_covered: bool, as_json: bool
) -> None:
    output.note("dry run: nothing was set aside")
    output.single({**asked, "available": available, "covered": is_covered}, as_json=as_json)


def _available(target: Target, merchant_id: str, balance_shop_id: str, currency: str) -> str:
    path = f"systems/merchants/{_quoted(merchant_id)}/balances/{_quoted(balance_shop_id)}"
    for balance in _call(target, "GET", path)["balances"]:
        if balance["currency"] == currency:
            return str(balance["available"])
    raise InvalidInputError("currency: the balance shop has no balance in this currency")


def _minor(amount: str) -> int:
    """Minor units of an amount at full scale."""
    return int(amount.replace(".", ""))


def _blocks(merchant_id: str) -> str:
    return f"systems/merchants/{_quoted(merchant_id)}/blocks"


def _block(merchant_id: str, block_id: str) -> str:
    return f"{_blocks(merchant_id)}/{_quoted(block_id)}"


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _call(
    target: Target,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    from falcon_balances.cli import api  # noqa: PLC0415 - HTTP: not for --help

    answer = api.call(target, method, path, body=body, headers=headers)
    if not answer.is_ok:
        raise answer.refusal()
    return answer.document
