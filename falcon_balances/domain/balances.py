"""A merchant's balance as the counters say it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from falcon_balances.domain.counting import COUNTERS, add_to, counters_of
from falcon_balances.domain.money import Currency
from falcon_balances.domain.operations import Segment


@dataclass(frozen=True, slots=True)
class Balance:
    """All figures in minor units of `currency`, signed; `available` already lacks `blocked`.

    `negative_since`, while `available` is below zero: when what took it there reached the stream.
    """

    balance_shop_id: str
    currency: Currency
    confirmed: int = 0
    reconciled: int = 0
    pending: int = 0
    unapplied: int = 0
    debits_unconfirmed: int = 0
    debits_untraced: int = 0
    withdrawn: int = 0
    adjusted: int = 0
    blocked: int = 0
    available: int = 0
    operations_count: int = 0
    negative_since: datetime | None = None

    @classmethod
    def from_counters(
        cls,
        balance_shop_id: str,
        currency: Currency,
        counters: Mapping[str, int],
        negative_since: datetime | None = None,
    ) -> Self:
        known = {name: counters.get(name, 0) for name in (*COUNTERS, "blocked")}
        since = negative_since if known["available"] < 0 else None
        return cls(balance_shop_id, currency, **known, negative_since=since)


def fold(segments: Iterable[Segment]) -> dict[tuple[str, str, str], dict[str, int]]:
    """The counters of every (merchant, balance shop, currency): what the table must say.

    Each segment must be given once; their order does not matter.
    """
    totals: dict[tuple[str, str, str], dict[str, int]] = {}
    for segment in segments:
        for line in segment.lines:
            key = (segment.merchant_id, line.balance_shop_id, line.currency.code)
            add_to(totals.setdefault(key, {}), counters_of(segment.stage, line))
    return totals
