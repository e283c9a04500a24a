"""A merchant's balance, made of the table's counters or of the log's segments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from falcon_balances.domain.available import Joint, agreement
from falcon_balances.domain.counting import COUNTERS, add_to, available_at_once, stage_counters
from falcon_balances.domain.money import Currency
from falcon_balances.domain.operations import PSP_STAGES, Segment


@dataclass(frozen=True, slots=True)
class Balance:
    """All figures are in minor units of `currency`, signed. `available` is after blocks; a balance
    made of the log has no blocks.

    `negative_since`: while `available` is below zero, the time at which the record that caused it
    reached the stream.
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

    @property
    def available_before_blocks(self) -> int:
        """`available` as if nothing were blocked."""
        return self.available + self.blocked

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
    """The counters by (merchant, balance shop, currency), as the table must have them.

    Each segment must be given once. Their order does not matter: the stages of an operation are
    summed first and joined at the end.
    """
    totals: dict[tuple[str, str, str], dict[str, int]] = {}
    nets: dict[tuple[tuple[str, str, str], str], list[int]] = {}
    for segment in segments:
        stage, operation_id = segment.stage, segment.falcon_operation_id
        for line in segment.lines:
            minor = line.amount.minor
            key = (segment.merchant_id, line.balance_shop_id, line.currency.code)
            total = totals.setdefault(key, dict.fromkeys(COUNTERS, 0))
            add_to(total, stage_counters(stage, minor, 1))
            total["available"] += available_at_once(stage, minor)
            if stage in PSP_STAGES:
                of_operation = nets.setdefault((key, operation_id), [0, 0])
                of_operation[PSP_STAGES.index(stage)] += minor
    for (key, _), (confirmed, reconciled) in nets.items():
        joint = Joint.between(agreement(0, 0), agreement(confirmed, reconciled))
        add_to(totals[key], joint.counters())
    return totals
