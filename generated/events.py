"""Generated events and merchants, made from a counter: the same on every run.

Ids of merchants, shops and balance shops are UUIDs, as in production: AWS bills items by the KiB,
and shorter ids would hide a step.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey
from falcon_balances.domain.operations import Stage

PSP_ID: Final = "payu-ro"
BEGINNING: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SENT_AT: Final = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
RECEIVED_AT: Final = rfc3339(SENT_AT)
_SPACING: Final = timedelta(seconds=7)
_PRIME: Final = 7919

# One of forty events is a marketplace's, as among real orders (Olist: 8 of 500). A reconciled
# event belongs to the operation of the event before it.
_OF_FORTY: Final = (
    *("capture", "reconciled") * 14,
    *("refund", "reconciled") * 2,
    *("capture", "capture", "capture", "refund", "chargeback", "capture"),
    *("marketplace", "reconciled"),
)
MIX: Final = (
    "of 40 events 17 reconciled, 18 captures, 3 refunds, 1 chargeback, 1 marketplace's of 2 splits"
)

Document = dict[str, Any]
Histories = dict[ContextKey, ContextHistory]


@dataclass(frozen=True, slots=True)
class Message:
    """One SNS body of a stage."""

    stage: Stage
    body: bytes


def merchant_id(n: int) -> str:
    return _id("merchant", n)


def balance_shop_id(n: int) -> str:
    return _id("balance shop", n)


def local_merchant(n: int) -> Document:
    return {"local_merchant_id": f"{5000 + n}", "shop_id": _id("shop", n)}


def _id(kind: str, n: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"urn:falcon:generated:{kind}:{n}"))


def context_documents(merchants: int) -> list[Document]:
    return [
        {
            "schema_version": "1",
            "psp_id": PSP_ID,
            **local_merchant(n),
            "merchant_id": merchant_id(n),
            "balance_shops": {"EUR": balance_shop_id(n)},
            "status": "active",
            "effective_from": "2026-01-01T00:00:00Z",
            "fees": [
                {"type": "psp_fee", "on": "capture", "percent": "1.00", "fixed": {"EUR": "0.10"}}
            ],
        }
        for n in range(merchants)
    ]


def histories_of(merchants: int) -> Histories:
    contexts = [parse_merchant_context(document) for document in context_documents(merchants)]
    return {context.key: [context] for context in contexts}


def mixed(count: int, merchants: int) -> Iterator[Message]:
    """Captures, refunds, chargebacks, marketplaces and reconciled operations, as in `MIX`."""
    previous: Document = {}
    for n in range(count):
        kind = _OF_FORTY[n % len(_OF_FORTY)]
        if kind == "reconciled":
            yield Message(Stage.RECONCILED, _raw(_reconciled(previous, n)))
        else:
            previous = _BY_KIND[kind](n, merchants)
            yield Message(Stage.CONFIRMED, _raw(previous))


def captures(count: int, merchants: int, first: int = 0) -> Iterator[Message]:
    """Nothing but captures, numbered from `first`: each touches one merchant and has one fee."""
    for n in range(first, first + count):
        yield Message(Stage.CONFIRMED, _raw(_operation(n, merchants)))


def both_stages(count: int, merchants: int) -> Iterator[Message]:
    """Captures, each followed by the same operation reconciled: `count` messages in all."""
    for n in range(count // 2):
        confirmed = _operation(n, merchants)
        yield Message(Stage.CONFIRMED, _raw(confirmed))
        yield Message(Stage.RECONCILED, _raw(_reconciled(confirmed, n)))


def marketplaces(count: int, merchants: int) -> Iterator[Message]:
    """Nothing but marketplaces' captures of two splits: three segments each."""
    for n in range(count):
        yield Message(Stage.CONFIRMED, _raw(_marketplace(n, merchants)))


def by_stage(messages: Sequence[Message]) -> dict[Stage, list[bytes]]:
    found: dict[Stage, list[bytes]] = {}
    for message in messages:
        found.setdefault(message.stage, []).append(message.body)
    return found


def _raw(document: Document) -> bytes:
    return json.dumps(document).encode()


def _amount(n: int) -> int:
    """The amount of the n-th event: 1.00 to 1000.99, in cents."""
    return 100 + n * _PRIME % 100_000


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _operation(n: int, merchants: int, kind: str = "capture") -> Document:
    return {
        "schema_version": "1",
        "psp_id": PSP_ID,
        "external_reference": f"asl8jk23er-{n:07d}-agw",
        "type": kind,
        "amount": _euros(_amount(n)),
        "currency": "EUR",
        "operation_date": (BEGINNING + n * _SPACING).isoformat(),
        **local_merchant(n * _PRIME % merchants),
    }


def _marketplace(n: int, merchants: int) -> Document:
    """A marketplace's capture for two sellers: the next two merchants, cyclically."""
    operation = _operation(n, merchants)
    market, first = n * _PRIME % merchants, _amount(n) // 3
    parts = [first, _amount(n) - first]
    operation["splits"] = [
        {
            **local_merchant((market + 1 + seller) % merchants),
            "amount": _euros(part),
            "marketplace_fee": _euros(part // 20),
        }
        for seller, part in enumerate(parts)
    ]
    return operation


_BY_KIND: Final[dict[str, Callable[[int, int], Document]]] = {
    "capture": _operation,
    "refund": lambda n, merchants: _operation(n, merchants, "refund"),
    "chargeback": lambda n, merchants: _operation(n, merchants, "chargeback"),
    "marketplace": _marketplace,
}


def _reconciled(confirmed: Document, n: int) -> Document:
    reconciled_date = (BEGINNING + timedelta(days=2) + n * _SPACING).isoformat()
    return confirmed | {"reconciled_date": reconciled_date, "bank_reference": f"bank-{n:07d}"}
