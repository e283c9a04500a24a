"""`falcon balance`: prints balances of one merchant or all, from the table or the API."""

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, Target, find_target
from falcon_balances.cli.token import merchant_token

if TYPE_CHECKING:
    from falcon_balances.adapters.balance_store import DynamoBalanceStore

_COLUMNS = (
    "balance_shop_id",
    "currency",
    "confirmed",
    "reconciled",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
    "withdrawn",
    "adjusted",
    "blocked",
    "available",
    "operations_count",
)


def balance(
    merchant_id: Annotated[str | None, typer.Argument(help="The merchant's id.")] = None,
    *,
    everybody: Annotated[
        bool, typer.Option("--all", help="Print the balances of all merchants.")
    ] = False,
    api: Annotated[bool, typer.Option("--api", help="Ask the API as the merchant would.")] = False,
    token: Annotated[
        str | None,
        typer.Option("--token", help="ID token for --api; in `local`, one is made by default."),
    ] = None,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print a merchant's balances: a table in a terminal, otherwise JSON."""
    if (merchant_id is None) != everybody or (everybody and api):
        raise typer.BadParameter("give a MERCHANT_ID, or --all (which reads the table)")
    target = find_target(env)
    if merchant_id is None:
        _show_all(target, as_json=as_json)
        return
    document = _from_api(target, merchant_id, token) if api else _from_table(target, merchant_id)
    if as_json or not sys.stdout.isatty():
        output.document(document)
    else:
        output.line(f"{document['merchant_id']} as of {document['as_of'] or 'unknown yet'}")
        _table(_COLUMNS, document["balances"])


def _table(columns: tuple[str, ...], balances: list[dict[str, Any]]) -> None:
    rows = [[each[column] for column in columns] for each in balances]
    output.table(columns, rows, right=_COLUMNS[2:])


def _store(target: Target) -> "DynamoBalanceStore":
    from falcon_balances.adapters.balance_store import DynamoBalanceStore  # noqa: PLC0415

    return DynamoBalanceStore(target.client("dynamodb"), target.balances_table)


def _from_table(target: Target, merchant_id: str) -> dict[str, Any]:
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - pydantic: not for --help
    from falcon_balances.contracts.balance_document import balance_document  # noqa: PLC0415

    store = _store(target)
    as_of = store.as_of()
    balances = store.balances(merchant_id)
    if not balances:
        raise _unknown(merchant_id)
    return balance_document(merchant_id, as_of, balances, now=utc_now()).model_dump()


def _show_all(target: Target, *, as_json: bool) -> None:
    from falcon_balances.contracts.balance_document import BalanceV1  # noqa: PLC0415
    from falcon_balances.domain.instants import rfc3339  # noqa: PLC0415

    store = _store(target)
    as_of = store.as_of()
    said = None if as_of is None else rfc3339(as_of)
    flat = [
        {"merchant_id": merchant_id, "as_of": said, **BalanceV1.of(balance).model_dump()}
        for merchant_id, balance in store.all_balances()
    ]
    flat.sort(key=lambda each: (each["merchant_id"], each["balance_shop_id"], each["currency"]))
    if as_json:
        output.json_lines(flat)
    else:
        _table(("merchant_id", *_COLUMNS), flat)


def _from_api(target: Target, merchant_id: str, token: str | None) -> dict[str, Any]:
    if token is None and target.env != LOCAL:
        raise InvalidInputError("--api requires --token in a real account")
    from falcon_balances.cli import api  # noqa: PLC0415 - HTTP: not for --help

    answer = api.call(
        target,
        "GET",
        f"merchants/{quote(merchant_id, safe='')}/balances",
        token=token or merchant_token(target, merchant_id),
    )
    if answer.status == HTTPStatus.NOT_FOUND:
        raise _unknown(merchant_id)
    if not answer.is_ok:
        raise AwsError(f"the API answered {answer.status}")
    return answer.document


def _unknown(merchant_id: str) -> InvalidInputError:
    return InvalidInputError(f"merchant {merchant_id[:80]} has no balance")
