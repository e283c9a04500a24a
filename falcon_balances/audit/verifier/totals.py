"""Makes the leaves of a manifest with the totals of all objects so far."""

from collections.abc import Mapping
from typing import Any

from .sums import Tallies, add_all, at_scale


def expected_totals(
    new: int, objects: Mapping[str, int], sealed: Mapping[str, Tallies]
) -> list[dict[str, Any]]:
    """The leaves before those of objects, without their blinds."""
    totals: Tallies = {}
    merchants = []
    for merchant in sorted(objects):
        sums = sealed.get(merchant, {})
        merchants.append(merchant_leaf(merchant, objects[merchant], sums))
        for (_, currency, stage, kind), total in sums.items():
            add_all(totals, {("", currency, stage, kind): total})
    summary: dict[str, Any] = {
        "leaf": "summary",
        "objects": new,
        "objects_total": sum(objects.values()),
    }
    said: list[dict[str, Any]] = [
        {
            "leaf": "total",
            "currency": currency,
            "stage": stage,
            "type": kind,
            "amount": at_scale(minor, decimals),
            "lines": lines,
        }
        for (_, currency, stage, kind), (minor, decimals, lines) in totals.items()
    ]
    return [summary, *said, *merchants]


def merchant_leaf(merchant: str, objects: int, sums: Tallies) -> dict[str, Any]:
    written = [
        [*key, at_scale(minor, decimals), lines]
        for key, (minor, decimals, lines) in sorted(sums.items())
    ]
    return {"leaf": "merchant", "merchant_id": merchant, "objects": objects, "sums": written}
