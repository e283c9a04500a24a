"""Events in rounds: each round is counted before the next, and every balance is read after it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import NAMESPACE_URL, uuid5

from falcon_balances.cli import api
from tests.e2e import observed
from tests.e2e.events import Document, jsonl
from tests.e2e.paid_out import Balance, balances

if TYPE_CHECKING:
    from tests.e2e.local_stack import LocalStack

ROOT = uuid5(NAMESPACE_URL, "urn:falcon:balances")
Balances = Mapping[str, Balance]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one balance; what a test does not name is zero."""

    confirmed: str = "0"
    reconciled: str = "0"
    pending: str = "0"
    unapplied: str = "0"
    debits_unconfirmed: str = "0"
    debits_untraced: str = "0"
    withdrawn: str = "0"
    adjusted: str = "0"
    blocked: str = "0"
    available: str = "0"

    @classmethod
    def of(cls, balance: Balance) -> Self:
        """Only money is compared here: a figure that is not shown is taken for zero."""
        said = {each.name: balance.get(each.name, "0") for each in fields(cls)}
        return cls(**{name: text if Decimal(text) else "0" for name, text in said.items()})


def figures(of: Balances, name: str) -> Figures | None:
    """Of the merchant `m-{name}`, which has one balance or none."""
    return Figures.of(of[f"m-{name}"]) if f"m-{name}" in of else None


def load(stack: "LocalStack", folder: Path, contexts: Iterable[Document]) -> None:
    done = stack.falcon("merchants", "load", jsonl(folder / "merchants.jsonl", contexts))
    assert done.returncode == 0, done.stderr


def after(stack: "LocalStack", **events: Iterable[Document]) -> Balances:
    """Send the stages' events, wait until they are counted or refused; then every balance."""
    for stage, documents in events.items():
        observed.send(stack.target, stage, [json.dumps(each) for each in documents])
    observed.drain(stack.target)
    return now(stack)


def now(stack: "LocalStack") -> Balances:
    """Every balance by its merchant."""
    return {each["merchant_id"]: each for each in balances(stack)}


def operation_id(psp_id: str, kind: str, reference: str) -> str:
    """By the words of design §5, not by the product's own code."""
    return str(uuid5(ROOT, f"{psp_id}|{kind}|{reference}"))


def ask(stack: "LocalStack", name: str, path: str) -> api.Answer:
    """As a system, signed, about the merchant `m-{name}`."""
    return api.call(stack.target, "GET", f"systems/merchants/m-{name}/{path}")


def authorize(stack: "LocalStack", name: str, refund: Document) -> api.Answer:
    """Ask for a refund as it will be confirmed, less its date."""
    path = f"systems/merchants/m-{name}/refund-authorizations"
    own = {"schema_version", "type", "operation_date"}
    body = {field: value for field, value in refund.items() if field not in own}
    return api.call(stack.target, "POST", path, body=body)
