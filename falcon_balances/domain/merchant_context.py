"""Merchant contexts: a local merchant's global identity, balances and fees, from a date on (§4)."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, pairwise
from operator import attrgetter
from typing import Final, Literal, NamedTuple, Self

from falcon_balances.domain.fees import Fee
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import OperationType

NOTICE: Final = timedelta(minutes=20)
VERSIONS_MAX: Final = 200  # of one key, counting every form: one item holds them all
_SHORT_HASH: Final = 16  # S3 keeps 2 KB of metadata, and a segment may rest on 41 contexts
REFUSED_WHEN_INACTIVE: Final = frozenset({OperationType.CAPTURE, OperationType.CASHBACK})


class ContextKey(NamedTuple):
    psp_id: str
    local_merchant_id: str
    shop_id: str

    def __str__(self) -> str:
        """Ids contain no `|`, so two keys never have the same text."""
        return "|".join(self)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key in a text that `str` made. Raises ValueError for any other text."""
        fields = text.split("|")
        if len(fields) != len(cls._fields) or "" in fields:
            raise ValueError("expected a PSP, a merchant and a shop with | between them")
        return cls(*fields)


@dataclass(frozen=True, slots=True)
class MerchantContext:
    """One form of one version, valid from `effective_from` until the next version."""

    key: ContextKey
    merchant_id: str
    balance_shops: Mapping[str, str]
    status: Literal["active", "inactive"]
    effective_from: datetime
    fees: tuple[Fee, ...] = ()
    risk: Literal["normal", "high"] = "normal"

    def refuses(self, operation_type: OperationType) -> bool:
        """Whether the status refuses this type; refunds and chargebacks are facts and never
        refused.
        """
        return self.status == "inactive" and operation_type in REFUSED_WHEN_INACTIVE

    @property
    def content_hash(self) -> str:
        """SHA-256 in hex of the form's content as canonical JSON, with amounts in minor units."""
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
        """The version's name in a claim: `{key}@{effective_from}#{hash}`."""
        return f"{self.key}@{rfc3339(self.effective_from)}#{self.content_hash}"

    @staticmethod
    def key_of_claimed(claimed_as: str) -> ContextKey:
        """The key in a text of `claimed_as`. Raises ValueError for any other text."""
        return ContextKey.parse(claimed_as.partition("@")[0])

    @property
    def logged_as(self) -> str:
        """The name in a log object's metadata: `{effective_from}#{16 digits of the hash}`."""
        return f"{rfc3339(self.effective_from)}#{self.content_hash[:_SHORT_HASH]}"

    @staticmethod
    def since_when(logged_as: str) -> str:
        """The `effective_from` in a text of `logged_as`; empty if there is none."""
        return logged_as.partition("#")[0]

    def widens(self, narrower: "MerchantContext") -> bool:
        """Whether this is the same version with more currencies (design §4).

        Such a form changes no earlier answer, except E_NO_BALANCE_SHOP.
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
    """All balances that a merchant ever had, and the context keys that ever had `risk: high`.

    Every version counts, because money can be in a balance whose context has changed.
    """

    balances: frozenset[tuple[str, str]] = frozenset()
    high_risk_keys: frozenset[ContextKey] = frozenset()

    @property
    def is_high_risk(self) -> bool:
        return bool(self.high_risk_keys)

    def has(self, balance_shop_id: str, currency: str) -> bool:
        return (balance_shop_id, currency) in self.balances


def merchants_of(contexts: Iterable[MerchantContext]) -> dict[str, Merchant]:
    """What these versions say about each merchant, by merchant_id."""
    found: dict[str, Merchant] = {}
    for context in contexts:
        known = found.get(context.merchant_id, Merchant())
        balances = {(shop, code) for code, shop in context.balance_shops.items()}
        risky = {context.key} if context.risk == "high" else set()
        found[context.merchant_id] = Merchant(
            known.balances | balances, known.high_risk_keys | risky
        )
    return found


# The versions of one key, oldest first, each with all loaded forms, each wider than the one before.
# Forms are only added, so their number grows with every change.
ContextHistory = Sequence[MerchantContext]


def in_force(history: ContextHistory, at: datetime) -> MerchantContext | None:
    """The version in force at a moment, in its widest form; None before the first version."""
    position = bisect_right(history, at, key=attrgetter("effective_from"))
    return history[position - 1] if position else None


def extended(
    history: ContextHistory, versions: Sequence[MerchantContext], now: datetime
) -> list[MerchantContext]:
    """One key's history with more versions, oldest first. Raises ValueError, naming the field.

    The version in force at a past moment never changes: only a key's first load can be in the past,
    every later version starts at least 20 minutes after it is loaded. A repeated version is
    ignored; a known version with more currencies becomes a wider form, whenever it starts; any
    other content under a known effective_from is refused.
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
            raise ValueError(
                "effective_from: a later version must start at least 20 minutes from now"
            )
        known.append(version)
    longer = list(chain.from_iterable(forms[moment] for moment in sorted(forms)))
    if len(longer) > VERSIONS_MAX:
        raise ValueError(f"effective_from: more than {VERSIONS_MAX} versions of one key")
    return longer


@dataclass(frozen=True, slots=True)
class Handover:
    """A key that moves to another merchant at `effective_from`.

    `left_behind`: the (balance_shop_id, currency) pairs that it had at the previous merchant.
    """

    key: ContextKey
    old_merchant_id: str
    new_merchant_id: str
    effective_from: datetime
    left_behind: frozenset[tuple[str, str]]


def handovers(seen: ContextHistory, history: ContextHistory) -> list[Handover]:
    """The new versions of `history` that name another merchant than the version before.

    Money stays where it was counted: no balance moves.
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
