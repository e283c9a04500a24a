"""Money added up: exact, by balance shop, currency, stage and type."""

from collections.abc import Iterator, Mapping, Sequence

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


# Minor units, decimals, lines. A plain tuple: there is one for every line of the log.
Total = tuple[int, int, int]
SumKey = tuple[str, str, str, str]  # balance shop, currency, stage, type
Item = tuple[SumKey, Total]
Sums = dict[SumKey, Total]


def at_scale(minor: int, decimals: int) -> str:
    if not decimals:
        return str(minor)
    digits = str(abs(minor)).rjust(decimals + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def added_up(items: Sequence[Item]) -> Sums:
    sums = dict(items)
    if len(sums) == len(items):
        return sums
    # Of each key all at once, which is faster than one after the other.
    each: dict[SumKey, list[Total]] = {}
    for key, total in items:
        each.setdefault(key, []).append(total)
    for key, totals in each.items():
        minors, decimals, lines = zip(*totals, strict=True)
        sums[key] = sum(minors), max(decimals), sum(lines)
    return sums


def add_all(sums: Sums, more: Sums) -> None:
    for key, total in more.items():
        before = sums.get(key)
        sums[key] = total if before is None else _sum(before, total)


def _sum(one: Total, other: Total) -> Total:
    return one[0] + other[0], max(one[1], other[1]), one[2] + other[2]


def without(sums: Sums, taken: Sums) -> Sums:
    left = dict(sums)
    add_all(left, {key: (-minor, decimals, -n) for key, (minor, decimals, n) in taken.items()})
    return {key: total for key, total in left.items() if total[2]}


def balances_of(sums: Mapping[str, Sums]) -> Iterator[dict[str, str | int]]:
    """The figures of every balance by the rules of docs/accounts.md; `available` before blocks."""
    for merchant in sorted(sums):
        figures: dict[tuple[str, str], dict[str, int]] = {}
        decimals: dict[tuple[str, str], int] = {}
        for (shop, currency, stage, kind), (minor, scale, lines) in sums[merchant].items():
            balance = figures.setdefault((shop, currency), dict.fromkeys(FIGURES, 0))
            decimals[shop, currency] = max(scale, decimals.get((shop, currency), 0))
            for name, sign in EFFECTS[stage, kind in WHEN_CONFIRMED]:
                balance[name] += sign * minor
            balance["operations_count"] += lines
        for (shop, currency), balance in sorted(figures.items()):
            scaled = {
                name: at_scale(balance[name], decimals[shop, currency]) for name in FIGURES[:-1]
            }
            yield {
                "merchant_id": merchant,
                "balance_shop_id": shop,
                "currency": currency,
                **scaled,
                "operations_count": balance["operations_count"],
            }
