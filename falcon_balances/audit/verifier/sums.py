"""Money added up: exact, by balance shop, currency, stage and type."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

FIGURES = (
    "confirmed",
    "reconciled",
    "pending",
    "withdrawn",
    "adjusted",
    "available",
    "operations_count",
)
WHEN_CONFIRMED = {"refund", "chargeback"}
# By stage, and whether the type counts as available when confirmed: which figures move, which way.
EFFECTS: dict[tuple[str, bool], list[tuple[str, int]]] = {
    ("confirmed", True): [("confirmed", 1), ("available", 1)],
    ("confirmed", False): [("confirmed", 1), ("pending", 1)],
    ("reconciled", True): [("reconciled", 1)],
    ("reconciled", False): [("reconciled", 1), ("pending", -1), ("available", 1)],
    ("payout", False): [("withdrawn", -1), ("available", 1)],
    ("adjustment", False): [("adjusted", 1), ("available", 1)],
}


class Total(NamedTuple):
    """Minor units, decimals, lines."""

    minor: int
    decimals: int
    lines: int


SumKey = tuple[str, str, str, str]  # balance shop, currency, stage, type
Sums = dict[SumKey, Total]


def minor_units(amount: str) -> tuple[int, int]:
    point = amount.find(".")
    if point < 0:
        return int(amount), 0
    return int(amount[:point] + amount[point + 1 :]), len(amount) - point - 1


def at_scale(total: Total) -> str:
    if not total.decimals:
        return str(total.minor)
    digits = str(abs(total.minor)).rjust(total.decimals + 1, "0")
    sign = "-" if total.minor < 0 else ""
    return f"{sign}{digits[: -total.decimals]}.{digits[-total.decimals :]}"


def add(sums: Sums, key: SumKey, total: Total) -> None:
    before = sums.get(key)
    if before is None:
        sums[key] = total
    else:
        decimals = max(before.decimals, total.decimals)
        sums[key] = Total(before.minor + total.minor, decimals, before.lines + total.lines)


def add_all(sums: Sums, more: Sums) -> None:
    for key, total in more.items():
        add(sums, key, total)


def without(sums: Sums, taken: Sums) -> Sums:
    left = dict(sums)
    for key, total in taken.items():
        add(left, key, Total(-total.minor, total.decimals, -total.lines))
    return {key: total for key, total in left.items() if total.lines}


def balances_of(sums: Mapping[str, Sums]) -> Iterator[dict[str, str | int]]:
    """The figures of every balance by the rules of docs/accounts.md; `available` before blocks."""
    for merchant in sorted(sums):
        figures: dict[tuple[str, str], dict[str, int]] = {}
        decimals: dict[tuple[str, str], int] = {}
        for (shop, currency, stage, kind), total in sums[merchant].items():
            balance = figures.setdefault((shop, currency), dict.fromkeys(FIGURES, 0))
            decimals[shop, currency] = max(total.decimals, decimals.get((shop, currency), 0))
            for name, sign in EFFECTS[stage, kind in WHEN_CONFIRMED]:
                balance[name] += sign * total.minor
            balance["operations_count"] += total.lines
        for (shop, currency), balance in sorted(figures.items()):
            scaled = {
                name: at_scale(Total(balance[name], decimals[shop, currency], 0))
                for name in FIGURES[:-1]
            }
            yield {
                "merchant_id": merchant,
                "balance_shop_id": shop,
                "currency": currency,
                **scaled,
                "operations_count": balance["operations_count"],
            }
