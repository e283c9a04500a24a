"""Sums money exactly, by balance shop, currency, stage and type, and by operation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

FIGURES = (
    "confirmed",
    "reconciled",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
    "withdrawn",
    "adjusted",
    "available",
    "operations_count",
)
PSP_STAGES = {"confirmed", "reconciled"}
# The figure to which a stage's lines add, and with which sign.
OF_STAGE = {
    "confirmed": ("confirmed", 1),
    "reconciled": ("reconciled", 1),
    "payout": ("withdrawn", -1),
    "adjustment": ("adjusted", 1),
}


# Minor units, decimals, lines. A plain tuple, because there is one per line of the log.
Tally = tuple[int, int, int]
LineKind = tuple[str, str, str, str]  # balance shop, currency, stage, type
Item = tuple[LineKind, Tally]
Tallies = dict[LineKind, Tally]


def at_scale(minor: int, decimals: int) -> str:
    if not decimals:
        return str(minor)
    digits = str(abs(minor)).rjust(decimals + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def added_up(items: Sequence[Item]) -> Tallies:
    sums = dict(items)
    if len(sums) == len(items):
        return sums
    # Adding all items of a key at once is faster.
    each: dict[LineKind, list[Tally]] = {}
    for key, total in items:
        each.setdefault(key, []).append(total)
    for key, totals in each.items():
        minors, decimals, lines = zip(*totals, strict=True)
        sums[key] = sum(minors), max(decimals), sum(lines)
    return sums


def add_all(sums: Tallies, more: Tallies) -> None:
    for key, total in more.items():
        before = sums.get(key)
        sums[key] = total if before is None else _sum(before, total)


def _sum(one: Tally, other: Tally) -> Tally:
    return one[0] + other[0], max(one[1], other[1]), one[2] + other[2]


def without(sums: Tallies, taken: Tallies) -> Tallies:
    left = dict(sums)
    add_all(left, {key: (-minor, decimals, -n) for key, (minor, decimals, n) in taken.items()})
    return {key: total for key, total in left.items() if total[2]}


# One operation at one balance: its id, balance shop, currency, stage, and the sum of that stage's
# lines. A plain tuple, because there is about one per object.
Stood = tuple[str, str, str, str, int]


def stood_of(operation: str, sums: Iterable[Item]) -> list[Stood]:
    """An object's sums by balance; empty unless the object is of a PSP's operation."""
    nets: dict[tuple[str, str, str], int] = {}
    for (shop, currency, stage, _), (minor, _, _) in sums:
        if stage in PSP_STAGES:
            nets[shop, currency, stage] = nets.get((shop, currency, stage), 0) + minor
    return [(operation, *name, minor) for name, minor in nets.items()]


class StageNets:
    """Both stages of each operation at each balance, by merchant."""

    def __init__(self) -> None:
        self._nets: dict[str, dict[tuple[str, str, str], tuple[int, int]]] = {}

    def add(self, merchant: str, stood: Iterable[Stood], sign: int = 1) -> None:
        nets = self._nets.setdefault(merchant, {})
        for operation, shop, currency, stage, minor in stood:
            name = shop, currency, operation
            confirmed, reconciled = nets.get(name, (0, 0))
            if stage == "confirmed":
                nets[name] = confirmed + sign * minor, reconciled
            else:
                nets[name] = confirmed, reconciled + sign * minor

    def figures(self, merchant: str) -> dict[tuple[str, str], dict[str, int]]:
        """The available and open figures of PSPs' operations, by balance shop and currency."""
        balances: dict[tuple[str, str], dict[str, int]] = {}
        for (shop, currency, _), (confirmed, reconciled) in self._nets.get(merchant, {}).items():
            figures = balances.setdefault((shop, currency), {})
            for name, minor in weighed(confirmed, reconciled).items():
                figures[name] = figures.get(name, 0) + minor
        return balances


def weighed(confirmed: int, reconciled: int) -> dict[str, int]:
    """The figures of one operation at one balance: incoming money counts when both stages report
    it, outgoing money when either does.
    """
    both_in = min(max(confirmed, 0), max(reconciled, 0))
    either_out = max(-confirmed, -reconciled, 0)
    return {
        "available": both_in - either_out,
        "pending": max(confirmed, 0) - both_in,
        "unapplied": max(reconciled, 0) - both_in,
        "debits_unconfirmed": either_out - max(-confirmed, 0),
        "debits_untraced": either_out - max(-reconciled, 0),
    }


def balances_of(
    sums: Mapping[str, Tallies], standings: StageNets
) -> Iterator[dict[str, str | int]]:
    """The figures of every balance by the rules of docs/accounts.md; `available` before blocks."""
    for merchant in sorted(sums):
        figures: dict[tuple[str, str], dict[str, int]] = {}
        decimals: dict[tuple[str, str], int] = {}
        for (shop, currency, stage, _), (minor, scale, lines) in sums[merchant].items():
            balance = figures.setdefault((shop, currency), dict.fromkeys(FIGURES, 0))
            decimals[shop, currency] = max(scale, decimals.get((shop, currency), 0))
            name, sign = OF_STAGE[stage]
            balance[name] += sign * minor
            balance["operations_count"] += lines
        for each, weights in standings.figures(merchant).items():
            # A balance without lines has no figures.
            for name, minor in weights.items() if each in figures else ():
                figures[each][name] += minor
        for (shop, currency), balance in sorted(figures.items()):
            balance["available"] += balance["adjusted"] - balance["withdrawn"]
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
