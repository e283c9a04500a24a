"""Who a PSP's local merchant is, which balances it has, which fees apply, since when (§4)."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, pairwise
from operator import attrgetter
from typing import Final, Literal, NamedTuple, Self

from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import OperationType

PERCENT_DECIMALS: Final = 6
NOTICE: Final = timedelta(minutes=20)
VERSIONS_MAX: Final = 200  # of one key, with their forms, which lie in one item
_SHORT_HASH: Final = 16  # S3 keeps 2 KB of metadata, and a segment may rest on 41 contexts
_WHOLE: Final = 100 * 10**PERCENT_DECIMALS
REFUSED_WHEN_INACTIVE: Final = frozenset({OperationType.CAPTURE, OperationType.CASHBACK})


class ContextKey(NamedTuple):
    psp_id: str
    local_merchant_id: str
    shop_id: str

    def __str__(self) -> str:
        """No id holds a `|`, so two keys never read alike."""
        return "|".join(self)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what `str` does not write."""
        fields = text.split("|")
        if len(fields) != len(cls._fields) or "" in fields:
            raise ValueError("expected a PSP, a merchant and a shop with | between them")
        return cls(*fields)


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

    def widens(self, narrower: "Fee", added: frozenset[str]) -> bool:
        """Whether this is the same fee, but for what it says of the currencies `added`."""
        return replace(self, fixed={}, minimum={}, maximum={}) == replace(
            narrower, fixed={}, minimum={}, maximum={}
        ) and all(
            old.items() <= new.items() and new.keys() - old.keys() <= added
            for old, new in (
                (narrower.fixed, self.fixed),
                (narrower.minimum, self.minimum),
                (narrower.maximum, self.maximum),
            )
        )


@dataclass(frozen=True, slots=True)
class MerchantContext:
    """One form of one version, in force from `effective_from` until the next version."""

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

    @property
    def content_hash(self) -> str:
        """SHA-256, in hex, of all that it says, as canonical JSON with amounts in minor units."""
        document = {
            **self.key._asdict(),
            "merchant_id": self.merchant_id,
            "balance_shops": dict(self.balance_shops),
            "status": self.status,
            "effective_from": rfc3339(self.effective_from),
            "fees": [
                {
                    "type": fee.type,
                    "on": fee.on,
                    "percent_millionths": fee.percent_millionths,
                    "fixed": dict(fee.fixed),
                    "min": dict(fee.minimum),
                    "max": dict(fee.maximum),
                }
                for fee in self.fees
            ],
            "risk": self.risk,
        }
        return sha256(
            json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()

    @property
    def claimed_as(self) -> str:
        """How a claim names it: `{key}@{effective_from}#{hash}`."""
        return f"{self.key}@{rfc3339(self.effective_from)}#{self.content_hash}"

    @staticmethod
    def key_of_claimed(claimed_as: str) -> ContextKey:
        """Raises ValueError for what `claimed_as` does not write."""
        return ContextKey.parse(claimed_as.partition("@")[0])

    @property
    def logged_as(self) -> str:
        """How a log object's metadata names it: `{effective_from}#{16 digits of the hash}`."""
        return f"{rfc3339(self.effective_from)}#{self.content_hash[:_SHORT_HASH]}"

    @staticmethod
    def since_when(logged_as: str) -> str:
        """The `effective_from` that `logged_as` names; empty where it names none."""
        return logged_as.partition("#")[0]

    def widens(self, narrower: "MerchantContext") -> bool:
        """Whether this says the same, but for more currencies (design §4).

        Such a form changes no answer that was given, except E_NO_BALANCE_SHOP.
        """
        added = frozenset(self.balance_shops.keys() - narrower.balance_shops.keys())
        return (
            bool(added)
            and narrower.balance_shops.items() <= self.balance_shops.items()
            and replace(self, balance_shops={}, fees=())
            == replace(narrower, balance_shops={}, fees=())
            and len(self.fees) == len(narrower.fees)
            and all(
                fee.widens(old, added) for fee, old in zip(self.fees, narrower.fees, strict=True)
            )
        )


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


# The versions of one key, oldest first, and of each version all forms that it was loaded in, each
# wider than the one before. Forms are only ever added: their number grows with every change.
ContextHistory = Sequence[MerchantContext]


def in_force(history: ContextHistory, at: datetime) -> MerchantContext | None:
    """The version in force at a moment, in its widest form; None before the first."""
    position = bisect_right(history, at, key=attrgetter("effective_from"))
    return history[position - 1] if position else None


def extended(
    history: ContextHistory, versions: Sequence[MerchantContext], now: datetime
) -> list[MerchantContext]:
    """One key's history with more versions, oldest first; raises ValueError naming the field.

    What was in force at a moment never changes: only a key's first load may lie in the past, every
    later version starts at least 20 minutes after it is loaded. What was loaded before is nothing
    new; a known version with more currencies is a wider form of it, whenever it starts; any other
    content under a known effective_from is refused.
    """
    forms: dict[datetime, list[MerchantContext]] = {}
    for version in history:
        forms.setdefault(version.effective_from, []).append(version)
    for version in versions:
        known = forms.setdefault(version.effective_from, [])
        if version in known:
            continue
        if known and not version.widens(known[-1]):
            raise ValueError(
                "effective_from: already loaded with other content; only currencies can be added"
            )
        if not known and history and version.effective_from < now + NOTICE:
            raise ValueError("effective_from: a later version starts 20 minutes from now or later")
        known.append(version)
    longer = list(chain.from_iterable(forms[moment] for moment in sorted(forms)))
    if len(longer) > VERSIONS_MAX:
        raise ValueError(f"effective_from: more than {VERSIONS_MAX} versions of one key")
    return longer


@dataclass(frozen=True, slots=True)
class Handover:
    """A key that names another merchant from `effective_from` on.

    `left_behind`: the (balance_shop_id, currency) that it gave to the merchant before.
    """

    key: ContextKey
    old_merchant_id: str
    new_merchant_id: str
    effective_from: datetime
    left_behind: frozenset[tuple[str, str]]


def handovers(seen: ContextHistory, history: ContextHistory) -> list[Handover]:
    """Where a version of `history` that was not `seen` names another merchant than the one before.

    Money stays where it was counted: nothing moves a balance.
    """
    return [
        Handover(
            after.key,
            before.merchant_id,
            after.merchant_id,
            after.effective_from,
            merchants_of(history[:position])[before.merchant_id].balances,
        )
        for position, (before, after) in enumerate(pairwise(history), start=1)
        if before.merchant_id != after.merchant_id and after not in seen
    ]
