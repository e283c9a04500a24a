"""Ports for merchant contexts."""

from collections.abc import Collection, Mapping
from typing import Protocol

from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, Merchant


class ContextReader(Protocol):
    def histories(self, keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        """The versions of each known key, oldest first."""

    def merchants(self, merchant_ids: Collection[str]) -> Mapping[str, Merchant]:
        """The merchants that a context names."""

    def context_of(
        self, key: ContextKey, merchant_id: str
    ) -> tuple[ContextHistory, Merchant | None]:
        """One key's versions, oldest first, and one merchant, in one read."""


class MerchantDirectory(ContextReader, Protocol):
    def name_merchant(self, merchant_id: str, merchant: Merchant) -> None:
        """Adds balances and high-risk keys to a merchant; never removes any."""

    def replace(self, key: ContextKey, seen: ContextHistory, history: ContextHistory) -> bool:
        """Sets a key's versions if they are still `seen`; False if another load was faster."""
