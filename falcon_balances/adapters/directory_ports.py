"""What functions ask of merchant contexts."""

from collections.abc import Collection, Mapping
from typing import Protocol

from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, Merchant


class ContextReader(Protocol):
    def histories(self, keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        """The versions of each key that is known, oldest first."""

    def merchants(self, merchant_ids: Collection[str]) -> Mapping[str, Merchant]:
        """The merchants that some context names."""

    def context_of(
        self, key: ContextKey, merchant_id: str
    ) -> tuple[ContextHistory, Merchant | None]:
        """One key's versions, oldest first, and one merchant, in one read."""


class MerchantDirectory(ContextReader, Protocol):
    def name_merchant(self, merchant_id: str, merchant: Merchant) -> None:
        """Add to what is known of a merchant; nothing is ever taken away."""

    def replace(self, key: ContextKey, seen: ContextHistory, history: ContextHistory) -> bool:
        """Set a key's versions if they are still those `seen`; False if another was faster."""
