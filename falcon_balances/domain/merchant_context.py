"""Who a PSP's local merchant is, which balances it has, which fees apply, since when (§4)."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, Literal, NamedTuple

from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import OperationType

PERCENT_DECIMALS: Final = 6
NOTICE: Final = timedelta(minutes=20)
VERSIONS_MAX: Final = 200  # of one key, which lie in one item
_WHOLE: Final = 100 * 10**PERCENT_DECIMALS
REFUSED_WHEN_INACTIVE: Final = frozenset({OperationType.CAPTURE, OperationType.CASHBACK})


class ContextKey(NamedTuple):
    psp_id: str
    local_merchant_id: str
    shop_id: str

    def __str__(self) -> str:
        """No id holds a `|`, so two keys never read alike."""
        return "|".join(self)


@dataclass(frozen=True, slots=True)
class Fee:
    """`percent_millionths`: 1.00 % is 1_000_000. The other figures are minor units by currency."""

    on: OperationType
    percent_millionths: int
    fixed: Mapping[str, int] = field(default_factory=dict)
    minimum: Mapping[str, int] = field(default_factory=dict)
    maximum: Mapping[str, int] = field(default_factory=dict)
    type: OperationType = OperationType.PSP_FEE

    def of(self, leg: Money) -> Money | None:
        """Percent of the leg plus fixed, rounded half up once, then held between min and max.

        What comes to nothing makes no line: None.
        """
        code = leg.currency.code
        minor = (2 * leg.minor * self.percent_millionths + _WHOLE) // (2 * _WHOLE)
        minor += self.fixed.get(code, 0)
        minor = max(minor, self.minimum.get(code, minor))
        minor = min(minor, self.maximum.get(code, minor))
        return Money(minor, leg.currency) if minor else None


@dataclass(frozen=True, slots=True)
class MerchantContext:
    """One version, in force from `effective_from` until the next one."""

    key: ContextKey
    merchant_id: str
    balance_shops: Mapping[str, str]
    status: Literal["active", "inactive"]
    effective_from: datetime
    fees: tuple[Fee, ...] = ()
    risk: Literal["normal", "high"] = "normal"

    def refuses(self, operation_type: OperationType) -> bool:
        """Refunds and chargebacks are facts, whatever the status."""
        return self.status == "inactive" and operation_type in REFUSED_WHEN_INACTIVE


@dataclass(frozen=True, slots=True)
class Merchant:
    """All balances that a merchant ever had, and the context keys that ever said `risk: high`.

    Any version counts, for money may lie in a balance whose context has changed.
    """

    balances: frozenset[tuple[str, str]] = frozenset()
    high_risk_keys: frozenset[ContextKey] = frozenset()

    @property
    def is_high_risk(self) -> bool:
        return bool(self.high_risk_keys)

    def has(self, balance_shop_id: str, currency: str) -> bool:
        return (balance_shop_id, currency) in self.balances


def merchants_of(contexts: Iterable[MerchantContext]) -> dict[str, Merchant]:
    """By merchant_id, what these versions say of each merchant."""
    found: dict[str, Merchant] = {}
    for context in contexts:
        known = found.get(context.merchant_id, Merchant())
        balances = {(shop, code) for code, shop in context.balance_shops.items()}
        risky = {context.key} if context.risk == "high" else set()
        found[context.merchant_id] = Merchant(
            known.balances | balances, known.high_risk_keys | risky
        )
    return found


# The versions of one key, oldest first.
ContextHistory = Sequence[MerchantContext]


def in_force(history: ContextHistory, at: datetime) -> MerchantContext | None:
    """The version in force at a moment; None before the first."""
    position = bisect_right(history, at, key=attrgetter("effective_from"))
    return history[position - 1] if position else None


def extended(
    history: ContextHistory, versions: Sequence[MerchantContext], now: datetime
) -> list[MerchantContext]:
    """One key's history with more versions, oldest first; raises ValueError naming the field.

    What was in force at a moment never changes: only a key's first load may lie in the past, every
    later version starts at least 20 minutes after it is loaded. The same version again is nothing
    new; another content under a known effective_from is refused.
    """
    known = {version.effective_from: version for version in history}
    loaded = frozenset(known)
    earliest = now + NOTICE if history else None
    for version in versions:
        existing = known.setdefault(version.effective_from, version)
        if existing != version:
            raise ValueError("effective_from: known already, with another content")
        is_new = version.effective_from not in loaded
        if is_new and earliest is not None and version.effective_from < earliest:
            raise ValueError("effective_from: a later version starts 20 minutes from now or later")
    if len(known) > VERSIONS_MAX:
        raise ValueError(f"effective_from: more than {VERSIONS_MAX} versions of one key")
    return [known[moment] for moment in sorted(known)]
