"""`falcon token`: prints an ID token of a merchant from the embedded AWS's user pool."""

import base64
import hashlib
import hmac
import re
from typing import Annotated

import typer

from falcon_balances.adapters.user_pool import UserPool
from falcon_balances.cli import output
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import Target, find_target

_MERCHANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


def token(
    merchant_id: Annotated[str, typer.Argument(help="The merchant's id.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Print an ID token for a merchant (embedded AWS only)."""
    if not _MERCHANT_ID.fullmatch(merchant_id):
        raise InvalidInputError(f"not a valid merchant id: {merchant_id[:80]!r}")
    id_token = merchant_token(find_target(), merchant_id)
    if as_json:
        output.document({"merchant_id": merchant_id, "id_token": id_token})
    else:
        output.line(id_token)


def merchant_token(target: Target, merchant_id: str) -> str:
    """Signs the merchant's user in; the user is created if necessary. Returns the ID token.

    Safe to repeat and to run concurrently: the password is the same each time.
    """
    pool = UserPool(target.client("cognito-idp"), target.user_pool_id, target.client_id)
    # A pool may treat `M-1` and `m-1` as one user, but they are two merchants.
    if pool.ensure_user(merchant_id) != merchant_id:
        raise AwsError(f"the user {merchant_id} belongs to another merchant")
    return pool.sign_in(merchant_id, _password(target, merchant_id))


def _password(target: Target, merchant_id: str) -> str:
    # The password is as random as the root secret, which every `up` creates anew. Its first
    # characters satisfy any password policy.
    secret = (target.secret_access_key or "").encode()
    digest = hmac.new(secret, merchant_id.encode(), hashlib.sha256).digest()
    return "Aa1!" + base64.urlsafe_b64encode(digest).decode("ascii")
