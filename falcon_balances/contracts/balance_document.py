"""The balance document (design §8): what the API and the command line answer."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.fresh import Fresh, freshness
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.money import at_full_scale


class BalanceV1(BaseModel):
    """One balance shop in one currency. Amounts are strings at the currency's full scale.

    `pending` is confirmed but not traced yet; `unapplied` is traced but not confirmed. Outgoing
    money is deducted as soon as one side reports it: only the bank reports `debits_unconfirmed`,
    only the PSP `debits_untraced`. `negative_since` is present only while `available` is below
    zero.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    balance_shop_id: str
    currency: str
    confirmed: str
    reconciled: str
    pending: str
    unapplied: str
    debits_unconfirmed: str
    debits_untraced: str
    withdrawn: str
    adjusted: str
    blocked: str
    available: str
    operations_count: int
    negative_since: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None

    @classmethod
    def of(cls, balance: Balance) -> "BalanceV1":
        def scaled(minor: int) -> str:
            return at_full_scale(minor, balance.currency.exponent)

        return cls(
            balance_shop_id=balance.balance_shop_id,
            currency=balance.currency.code,
            confirmed=scaled(balance.confirmed),
            reconciled=scaled(balance.reconciled),
            pending=scaled(balance.pending),
            unapplied=scaled(balance.unapplied),
            debits_unconfirmed=scaled(balance.debits_unconfirmed),
            debits_untraced=scaled(balance.debits_untraced),
            withdrawn=scaled(balance.withdrawn),
            adjusted=scaled(balance.adjusted),
            blocked=scaled(balance.blocked),
            available=scaled(balance.available),
            operations_count=balance.operations_count,
            negative_since=balance.negative_since and rfc3339(balance.negative_since),
        )


class BalanceDocumentV1(Fresh):
    """A merchant's balances now. Only answers with `source=log` have `source` and
    `objects_read`.
    """

    source: Annotated[Literal["log"] | None, Field(exclude_if=lambda said: said is None)] = None
    objects_read: Annotated[int | None, Field(exclude_if=lambda said: said is None)] = None
    balances: tuple[BalanceV1, ...]


def balance_document(
    merchant_id: str,
    as_of: datetime | None,
    balances: Iterable[Balance],
    *,
    now: datetime,
    objects_read: int | None = None,
) -> BalanceDocumentV1:
    """The document, sorted by balance shop and currency. `objects_read`: how many objects of the
    log were added up; None if the balances are the table's.
    """
    ordered = sorted(balances, key=lambda balance: (balance.balance_shop_id, balance.currency.code))
    return BalanceDocumentV1(
        **freshness(merchant_id, as_of, now),
        source=None if objects_read is None else "log",
        objects_read=objects_read,
        balances=tuple(BalanceV1.of(balance) for balance in ordered),
    )
