"""Asking the systems' API for blocks and refunds of the merchants of one PSP."""

from falcon_balances.cli import api
from falcon_balances.cli.target import Target
from tests.e2e.events import local

PSP = "block-psp"


def ask(target: Target, method: str, path: str, body=None, key=None, merchant="m-spend"):
    headers = {"Idempotency-Key": key} if key else None
    path = f"systems/merchants/{merchant}/{path}"
    return api.call(target, method, path, body=body, headers=headers)


def by_hand(name: str, amount: str, **more):
    body = {"balance_shop_id": f"bs-{name}", "currency": "EUR", "reference": "case-1"}
    return {**body, "amount": amount, **more}


def refund(name: str, reference: str, amount: str):
    body = {"psp_id": PSP, "external_reference": reference, **local(name)}
    return {**body, "amount": amount, "currency": "EUR"}


def available(target: Target, merchant="m-spend") -> tuple[str, str]:
    [balance] = ask(target, "GET", "balances", merchant=merchant).document["balances"]
    return balance["available"], balance["blocked"]
