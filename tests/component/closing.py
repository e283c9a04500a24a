"""Days of a ledger in memory, to be closed."""

from falcon_balances.domain.table_keys import BalanceKey
from falcon_balances.fakes.closings import MemoryClosings, MemoryMovedBalances
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from lambdas.closer.closing import CloserPorts
from tests.component.ledger import Ledger, adjustment

EUR = BalanceKey("bs-5553-eur", "EUR")
OTHER = BalanceKey("bs-other", "EUR")
MERCHANT = "m-5553"


def ports_of(ledger: Ledger, balances_max: int | None = None) -> CloserPorts:
    """The time is over after so many balances."""
    looks = iter(range(10_000))
    return CloserPorts(
        lambda: ledger.store.known_as_of,
        MemoryClosings(ledger.store),
        MemoryMovedBalances(ledger.store),
        lambda merchant_id: MemoryMerchantReads(ledger.store, ledger.claims, merchant_id),
        lambda: balances_max is not None and next(looks) >= balances_max,
    )


def count(ledger: Ledger, at: str, *shops: str, amount: str = "1.00") -> None:
    ledger.at(at)
    for shop in shops or ("bs-5553-eur",):
        said = {"adjusted_at": "2026-01-01T00:00:00Z", "amount": amount, "balance_shop_id": shop}
        ledger.count(adjustment(adjustment_id=f"{at}-{shop}", **said))


def closed(ledger: Ledger) -> dict[tuple[str, str], int]:
    """What was adjusted, by balance shop and day."""
    closings = ledger.store.closings.values()
    return {(each.balance.balance_shop_id, each.day): each.figures.adjusted for each in closings}
