"""Ten merchants with data of all four stages, counted in two closed months and in this one.

Each has, of fee 2 %: captures of 100.00, 200.00 and 300.00, a refund of 10.00; reconciled are the
first as it was, the second as 190.00, and 50.00 that nobody confirmed; +5.00 adjusted, which
corrects the first; 30.00 paid out, and 20.00 paid out and returned.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Any

from falcon_balances.adapters.clock import utc_now
from falcon_balances.cli.target import Target
from falcon_balances.cli.token import merchant_token
from falcon_balances.domain.identity import (
    payout_operation_id,
    payout_return_id,
    uuid5_text,
)
from falcon_balances.domain.instants import QUARTER, rfc3339
from tests.builders import operation_id_of
from tests.e2e import observed, past
from tests.e2e.events import (
    DATE,
    FOR_EVER,
    Document,
    confirmed,
    context,
    direct,
    fee,
    part,
    reconciled,
)

PSP = "api-psp"
NAMES = [f"api-{letter}" for letter in "abcdefghij"]
NOBODY = "api-nobody"
WAITING = "api-waiting"  # whose messages are held back; nobody else counts on its figures
MANY = 30  # more captures of 1.00 for the first merchant
MONTH = DATE[:7]  # of all operation dates of PSPs

JOINT = {
    "pending": "303.80",  # 294.00, and 9.80 of what was settled short
    "unapplied": "49.00",
    "debits_unconfirmed": "0.00",
    "debits_untraced": "10.00",
}
BEFORE_THIS_MONTH = {
    "confirmed": "578.00",  # 600.00 less 12.00, less 10.00
    "reconciled": "333.20",  # 98.00, 186.20, 49.00
    **JOINT,
    "withdrawn": "0.00",
    "adjusted": "0.00",
    "available_before_blocks": "274.20",  # 98.00, 186.20, less the refund's 10.00
    "operations_count": 13,
}
NOW = {
    "confirmed": "578.00",
    "reconciled": "333.20",
    **JOINT,
    "withdrawn": "30.00",
    "adjusted": "5.00",
    "blocked": "0.00",
    "available": "249.20",
    "operations_count": 17,
}


def captures(name: str) -> list[Document]:
    amounts = ("100.00", "200.00", "300.00")
    return [confirmed(PSP, f"{name}-cap-{n}", name, each) for n, each in enumerate(amounts)]


def confirmed_of(name: str) -> list[Document]:
    refund = confirmed(PSP, f"{name}-back", name, "10.00", type="refund")
    return [*captures(name), refund]


def reconciled_of(name: str) -> list[Document]:
    first, second, _ = captures(name)
    alone = confirmed(PSP, f"{name}-alone", name, "50.00")
    return [reconciled(first), reconciled(second, amount="190.00"), reconciled(alone)]


def operation_of(name: str) -> str:
    """Its first capture's."""
    return operation_id_of(captures(name)[0])


def adjustment_of(name: str) -> Document:
    why = {
        "direction": "credit",
        "reason_code": "paid_twice",
        "reason": "paid twice",
        "requested_by": "anna",
    }
    said = direct(name, "adjustment_id", f"{name}-adj", "5.00", adjusted_at=DATE, **why)
    return said | {"corrects": operation_of(name)}


def adjustment_id_of(name: str) -> str:
    return uuid5_text(f"adjustment|{name}-adj")


def payouts_of(name: str) -> list[Document]:
    return [
        direct(name, "payout_id", f"{name}-{n}", amount, requested_at=DATE, valid_until=FOR_EVER)
        for n, amount in (("paid", "30.00"), ("sent-back", "20.00"))
    ]


def return_of(name: str) -> Document:
    bank = {"type": "return", "returned_at": DATE, "bank_reference": "bank-9"}
    return direct(name, "payout_id", f"{name}-sent-back", "20.00", **bank)


def payout_of(name: str) -> str:
    return payout_operation_id(f"m-{name}", f"{name}-sent-back")


def returned_of(name: str) -> str:
    return payout_return_id(f"m-{name}", f"{name}-sent-back")


SHARED_BY = (NAMES[0], NAMES[1], NAMES[2])
SHARED = confirmed(
    PSP,
    "market-1",
    SHARED_BY[0],
    "20.00",
    splits=[part(SHARED_BY[1], "12.00", marketplace_fee="1.00"), part(SHARED_BY[2], "8.00")],
)
SHARED_ID = operation_id_of(SHARED)
PLAIN = NAMES[3:]  # those of whom the module's docstring is all there is to say
OWN = PLAIN[0]


@dataclass(frozen=True)
class Months:
    """The two before this one: the first is that of confirmed operations, then reconciled ones."""

    now: datetime

    @cached_property
    def this(self) -> datetime:
        return self.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    @cached_property
    def last(self) -> datetime:
        return (self.this - timedelta(days=1)).replace(day=1)

    @cached_property
    def first(self) -> datetime:
        return (self.last - timedelta(days=1)).replace(day=1)

    def arrival(self, segment: Mapping[str, Any]) -> datetime | None:
        """Spread over some quarters of the month's last day; None: counted now."""
        ends = {"confirmed": self.last, "reconciled": self.this}
        if segment["stage"] not in ends or not is_ours(segment):
            return None
        number = int(segment["fingerprint"][:2], 16) % 8
        return ends[segment["stage"]] - timedelta(days=1) + number * QUARTER


@dataclass(frozen=True)
class Served:
    target: Target
    months: Months
    tokens: Mapping[str, str]

    def routes(self, name: str) -> list[str]:
        """Every route of a merchant, below `merchants/`, each of which answers 200 for its own."""
        root, shop = f"merchants/m-{name}", f"bs-{name}"
        this, last = rfc3339(self.months.this), rfc3339(self.months.last)
        id_of = operation_of(name) if name != NOBODY else uuid5_text("nobody")
        month = f"{self.months.last:%Y-%m}"
        days = f"from={rfc3339(self.months.this - timedelta(days=2))}&to={this}"
        return [
            f"{root}/balances",
            f"{root}/balances?source=log",
            f"{root}/balances?at={this}",
            f"{root}/balances?at={this}&source=log",
            f"{root}/balances/{shop}",
            f"{root}/balances/{shop}?at={last}",
            f"{root}/balances/{shop}/history?{days}",
            f"{root}/operations",
            f"{root}/operations?limit=3&order=oldest_first&stage=confirmed&balance_shop_id={shop}",
            f"{root}/operations/{id_of}",
            f"{root}/turnover?month={MONTH}",
            f"{root}/turnover?month={MONTH}&source=log&time_zone=Asia/Tokyo",
            f"{root}/statements/{month}",
            f"{root}/statements/{month}?format=csv",
            f"{root}/unreconciled?older_than_days=1",
        ]


def serve(target: Target, load: Callable[[list[Document]], None]) -> Served:
    """All of it sent through the topics and counted; the balances have a cut behind them."""
    months = Months(utc_now())
    load([context(PSP, name, **fee("2.00")) for name in [*NAMES, WAITING]])
    more = [confirmed(PSP, f"more-{n}", NAMES[0], "1.00") for n in range(MANY)]
    with past.held_reducer(target):
        captures = chain.from_iterable(map(confirmed_of, [*NAMES, WAITING]))
        send(target, "confirmed", [*captures, SHARED, *more])
        send(target, "reconciled", chain.from_iterable(map(reconciled_of, NAMES)))
        send(target, "adjustment", map(adjustment_of, NAMES))
        past.count_earlier(target, months.arrival)
    observed.drain(target)
    send(target, "payout", chain.from_iterable(map(payouts_of, NAMES)))
    observed.drain(target)
    send(target, "payout", map(return_of, NAMES))
    observed.drain(target)
    tokens = {name: merchant_token(target, f"m-{name}") for name in [*NAMES, WAITING, NOBODY]}
    listed = f"merchants/m-{NAMES[0]}/operations"
    observed.wait_until(
        lambda: observed.ask(target, listed, tokens[NAMES[0]])[2]["as_of"],
        what="a cut that the index had ten seconds to follow",
    )
    return Served(target, months, tokens)


def is_ours(segment: Mapping[str, Any]) -> bool:
    return segment["merchant_id"].removeprefix("m-") in NAMES


def send(target: Target, stage: str, documents: Iterable[Document]) -> None:
    """Until all is on the stream. The first alone: it waits for the functions to start, and many
    that start at once may be too slow for their machine's patience.
    """
    first, *rest = [json.dumps(each) for each in documents]
    for texts in ([first], rest):
        observed.send(target, stage, texts)
        observed.wait_until(lambda: observed.in_flight(target) == 0, 90, f"{stage} on the stream")
