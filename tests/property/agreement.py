"""Promise 13, worked out apart: nobody can spend what only one side has said.

From the lines of the marks alone, by the text of design §7, in no function of the product.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from falcon_balances.domain.operations import PSP_STAGES, Segment
from falcon_balances.domain.table_keys import ItemKey

Sums = Mapping[str, int]
Items = Mapping[ItemKey, Sums]


class Sides(NamedTuple):
    """What the two stages of one operation say of one balance."""

    confirmed: int
    reconciled: int

    @property
    def counted(self) -> int:
        return min(self.confirmed, self.reconciled)


class BalanceOf(NamedTuple):
    merchant_id: str
    balance_shop_id: str
    currency: str

    @property
    def key(self) -> ItemKey:
        sk = f"BALANCE#{self.balance_shop_id}#{self.currency}"
        return ItemKey(f"MERCHANT#{self.merchant_id}", sk)


def check_nobody_spends_what_one_side_said(segments: Iterable[Segment], items: Items) -> None:
    """`items` are the table's, nothing set aside taken off."""
    sides, direct = _said(segments)
    expected: dict[BalanceOf, Counter[str]] = {}
    for (balance, _), said in sides.items():
        figures = expected.setdefault(balance, Counter())
        assert said.counted <= said.confirmed, "counted more than the PSP says"
        assert said.counted <= said.reconciled, "counted more than the bank says"
        figures.update(_figures(said))
    for balance, amount in direct.items():
        expected.setdefault(balance, Counter())["available"] += amount
    for balance, figures in expected.items():
        there = items[balance.key]
        for name in ("available", *_JOINT):
            assert there.get(name, 0) == figures[name], f"{name} is not what both stages say"
        _check_adds_up(there)


_JOINT = ("pending", "unapplied", "debits_unconfirmed", "debits_untraced")


def _figures(said: Sides) -> Counter[str]:
    counted = said.counted
    return Counter(
        {
            "available": counted,
            "pending": max(said.confirmed, 0) - max(counted, 0),
            "unapplied": max(said.reconciled, 0) - max(counted, 0),
            "debits_unconfirmed": min(said.confirmed, 0) - min(counted, 0),
            "debits_untraced": min(said.reconciled, 0) - min(counted, 0),
        }
    )


def _check_adds_up(there: Sums) -> None:
    """The identities of design §7: every figure can be added up from the others."""
    of = Counter(there)
    agreed = of["available"] + of["withdrawn"] - of["adjusted"]
    assert agreed == of["confirmed"] - of["pending"] - of["debits_unconfirmed"]
    assert agreed == of["reconciled"] - of["unapplied"] - of["debits_untraced"]
    assert min(of[name] for name in _JOINT) >= 0, "less than nothing awaited"


def _said(
    segments: Iterable[Segment],
) -> tuple[dict[tuple[BalanceOf, str], Sides], Counter[BalanceOf]]:
    nets: dict[tuple[BalanceOf, str], list[int]] = {}
    direct: Counter[BalanceOf] = Counter()
    for segment in segments:
        for line in segment.lines:
            balance = BalanceOf(segment.merchant_id, line.balance_shop_id, line.currency.code)
            if segment.stage in PSP_STAGES:
                said = nets.setdefault((balance, segment.falcon_operation_id), [0, 0])
                said[PSP_STAGES.index(segment.stage)] += line.amount.minor
            else:
                direct[balance] += line.amount.minor
    return {key: Sides(*said) for key, said in nets.items()}, direct


def check_effects_add_up(marks: Mapping[ItemKey, Mapping[str, str | int]], items: Items) -> None:
    """What the marks keep is what their balances' joint figures got."""
    names = (*_JOINT, "available")
    sums: dict[ItemKey, Counter[str]] = {}
    for key, mark in marks.items():
        if key.sk.startswith("OPERATION#"):
            for each in str(mark["effect"]).split(","):
                shop, currency, *changes = each.split("#")
                total = sums.setdefault(ItemKey(key.pk, f"BALANCE#{shop}#{currency}"), Counter())
                total.update(dict(zip(names, map(int, changes), strict=True)))
    balances = {key: item for key, item in items.items() if key.sk.startswith("BALANCE#")}
    assert sums.keys() == balances.keys()
    for key, total in sums.items():
        told = {name: balances[key].get(name, 0) for name in names}
        assert told == {name: total[name] for name in names}, "effects do not add up"


def check_standings(
    segments: Iterable[Segment], marks: Mapping[ItemKey, Mapping[str, str | int]]
) -> None:
    """One for every operation that was ever counted, with what its stages say; in the index while
    they disagree. Its version moves with each change, and where a finding was noted in it.
    """
    changed = {
        (key.pk.removeprefix("MERCHANT#"), key.sk.removeprefix("STANDING#")): int(item["version"])
        for key, item in marks.items()
        if key.sk.startswith("STANDING#")
    }
    there = {
        (key.pk.removeprefix("MERCHANT#"), key.sk.removeprefix("STANDING#")): (
            _read(str(item["confirmed"])),
            _read(str(item["reconciled"])),
            item.get("open"),
        )
        for key, item in marks.items()
        if key.sk.startswith("STANDING#")
    }
    sides, versions = sides_of(segments)
    assert there == {
        key: (
            said["confirmed"],
            said["reconciled"],
            None if said["confirmed"] == said["reconciled"] else f"MERCHANT#{key[0]}",
        )
        for key, said in sides.items()
    }, "a standing is not what was counted"
    for key, version in changed.items():
        assert version >= versions[key], "a standing changed without its version"


def open_operations(segments: Iterable[Segment]) -> dict[tuple[str, str], str]:
    """By merchant and operation, how its two stages stand where they do not agree."""
    sides, _ = sides_of(segments)
    return {
        key: _open_as(said["confirmed"], said["reconciled"])
        for key, said in sides.items()
        if said["confirmed"] != said["reconciled"]
    }


def _open_as(confirmed: Mapping[str, int], reconciled: Mapping[str, int]) -> str:
    if not reconciled:
        return "confirmed_only"
    return "different" if confirmed else "reconciled_only"


def sides_of(
    segments: Iterable[Segment],
) -> tuple[dict[tuple[str, str], dict[str, dict[str, int]]], Counter[tuple[str, str]]]:
    """By merchant and operation: sums by balance and type in each stage, and how many segments."""
    sums: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    versions: Counter[tuple[str, str]] = Counter()
    for segment in segments:
        if segment.stage in PSP_STAGES:
            key = (segment.merchant_id, segment.falcon_operation_id)
            versions[key] += 1
            said = sums.setdefault(key, {stage: Counter() for stage in PSP_STAGES})
            for line in segment.lines:
                name = f"{line.balance_shop_id}#{line.currency.code}#{line.type}"
                said[segment.stage][name] += line.amount.minor
    found = {
        key: {stage: {n: v for n, v in each.items() if v} for stage, each in said.items()}
        for key, said in sums.items()
    }
    return found, versions


def _read(text: str) -> dict[str, int]:
    parts = [each.rpartition("#") for each in text.split(",") if each]
    return {name: int(amount) for name, _, amount in parts}
