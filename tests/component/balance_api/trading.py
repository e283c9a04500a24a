"""Three months of trade at one merchant, and what is read of them."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, ClassVar

from falcon_balances.contracts.past_balance_documents import FiguresV1
from falcon_balances.domain.blocks import Block, Purpose, block_writes, manual_block_id
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import Stage
from tests.builders import (
    Document,
    confirmed,
    context_of,
    fee_of,
    marketplace,
    shop,
)
from tests.component.api_calls import MERCHANT, pages
from tests.component.ledger import (
    MINUTE,
    QUARTER,
    SECOND,
    Ledger,
    adjustment,
    live_figures,
    minor,
    payout,
)
from tests.component.world import utc

# One balance shop in two currencies, one of a second local merchant, and a marketplace's.
CONTEXTS = (
    context_of(fees=[fee_of("1.50")], balance_shops={"EUR": "bs-one", "JPY": "bs-one"}),
    context_of("5554", merchant_id=MERCHANT, balance_shops={"EUR": "bs-two"}),
    context_of("market"),
)
BALANCES = [("bs-one", "EUR"), ("bs-one", "JPY"), ("bs-two", "EUR")]
MONTHS = ["2026-09", "2026-10", "2026-11"]
FIGURES = list(FiguresV1.model_fields)


class Trade:
    """Random events, always the same: of both local merchants, in both stages, on any date."""

    KINDS: ClassVar[dict[str, Document]] = {
        "capture": {},
        "yen": {"currency": "JPY", "amount": "250"},
        "second": shop("5554"),
        "refund": {"type": "refund"},
        "chargeback": {"type": "chargeback"},
        "market": {},
    }

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._confirmed: list[Document] = []
        self._count = 0

    def events(self, now: datetime, count: int) -> list[Document]:
        return [self._event(now) for _ in range(count)]

    def _event(self, now: datetime) -> Document:
        self._count += 1
        reference, amount = f"trade-{self._count}", f"{self._random.randint(1, 99)}.50"
        kind = self._random.choice([*self.KINDS, "reconciled", "payout", "adjustment"])
        if kind == "payout":
            said = {"payout_id": reference, "requested_at": rfc3339(now), "amount": amount}
            return payout(balance_shop_id="bs-one", **said)
        if kind == "adjustment":
            way = self._random.choice(["credit", "debit"])
            said = {"adjustment_id": reference, "adjusted_at": rfc3339(now), "amount": amount}
            return adjustment(balance_shop_id="bs-one", direction=way, **said)
        if kind == "reconciled" and self._confirmed:
            event = self._confirmed.pop(self._random.randrange(len(self._confirmed)))
            return event | {"reconciled_date": rfc3339(now), "bank_reference": reference}
        ago = timedelta(seconds=self._random.randint(0, 9 * 86400))
        dated = {"external_reference": reference, "operation_date": rfc3339(now - ago)}
        if kind == "market":
            parts = [("5553", "60.00", "3.00"), ("5554", "40.00", None)]
            event = marketplace(parts, "100.00", **dated)
        else:
            event = confirmed(**{"amount": amount} | self.KINDS.get(kind, {}) | dated)
        self._confirmed.append(event)
        return event


def block(key: str, at: datetime) -> Block:
    return Block(
        block_id=manual_block_id(MERCHANT, key),
        merchant_id=MERCHANT,
        balance_shop_id="bs-two",
        currency="EUR",
        amount=150,
        purpose=Purpose.MANUAL,
        reference=key,
        requested_by="anna",
        created_at=at,
    )


Live = dict[datetime, dict[tuple[str, str], dict[str, Any]]]


def trade(ledger: Ledger, seed: int = 1) -> Live:
    """What was read live at the border of every quarter in which something was counted."""
    events, live = Trade(seed), dict[datetime, Any]()
    for start in quarters_of_trade():
        ledger.now = start + 7 * MINUTE
        ledger.count(*events.events(ledger.now, 4))
        border = ledger.now = start + QUARTER
        live[border] = live_figures()
        # Before the cut, but in the next quarter; and money set aside, which is no part of it.
        ledger.now = border + 3 * SECOND
        ledger.count(*events.events(ledger.now, 1))
        ledger.store.apply(block_writes(block(f"block-{border}", border)))
        ledger.now = border + 10 * SECOND
        ledger.cut()
    return live


def quarters_of_trade() -> list[datetime]:
    """The first and the last of every month, and some between."""
    months = [utc(f"{month}-01T00:00:00") for month in [*MONTHS, "2026-12"]]
    found = []
    for start, end in pairwise(months):
        found += [start, start + QUARTER, start + timedelta(days=11, hours=13)]
        found += [start + timedelta(days=20), end - 2 * QUARTER, end - QUARTER]
    last = months[-1] + timedelta(hours=2)
    return [*found, last]


def signed(line: dict[str, Any]) -> Counter[str]:
    """What a line of a statement adds to the figures of its own stage."""
    amount, stage = minor(line["amount"]), line["stage"]
    added = Counter({"operations_count": 1})
    match stage:
        case "payout":
            added["withdrawn"] -= amount
        case "adjustment":
            added["adjusted"] += amount
        case _:
            added[stage] += amount
    return added


OF_ONE_STAGE = ("confirmed", "reconciled", "withdrawn", "adjusted", "operations_count")


def of_one_stage(figures: Counter[str]) -> dict[str, int]:
    return {name: figures[name] for name in OF_ONE_STAGE}


def adds_up(figures: Counter[str]) -> bool:
    """What both stages agree on, worked out three times (design §7)."""
    of = figures
    agreed = of["available_before_blocks"] + of["withdrawn"] - of["adjusted"]
    return (
        agreed
        == of["confirmed"] - of["pending"] - of["debits_unconfirmed"]
        == of["reconciled"] - of["unapplied"] - of["debits_untraced"]
    )


def in_minor(figures: dict[str, Any]) -> Counter[str]:
    return Counter({name: minor(str(value)) for name, value in figures.items()})


def figures_in(balance: dict[str, Any]) -> dict[str, Any]:
    return {name: balance[name] for name in FIGURES}


def key_of(said: dict[str, Any]) -> tuple[str, str]:
    return said["balance_shop_id"], said["currency"]


def statement_pages(month: str, limit: int, **query: object) -> list[Any]:
    return pages(f"/statements/{month}", {"limit": limit, **query})


def lines_of(month: str, **query: object) -> list[dict[str, Any]]:
    return [line for page in statement_pages(month, 200, **query) for line in page["lines"]]


def lag_aside(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in {"as_of", "lag_seconds"}}


def counted_lines(ledger: Ledger, merchant_id: str = MERCHANT) -> list[tuple[Stage, Any]]:
    """Stage and line of all that was claimed of a merchant."""
    return [
        (claim.stage, line)
        for claim in ledger.claims.claims.values()
        for segment in claim.segments
        if segment.merchant_id == merchant_id
        for line in claim.lines_of(segment)
    ]
