"""What the log says of a balance, asked of a ledger whose days can be closed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.domain.blocks import Block, LoggedMoney, Purpose
from falcon_balances.domain.merchant_context import ContextKey, Merchant
from falcon_balances.domain.table_keys import BalanceKey
from falcon_balances.fakes.closings import MemoryClosings, MemoryMovedBalances
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from lambdas.closer.checking import ClosingChecks
from lambdas.closer.closing import CloserPorts, close_days
from tests.component.ledger import Ledger

MERCHANT = "m-5553"
EUR = BalanceKey("bs-5553-eur", "EUR")


def block_of(ledger: Ledger, balance: BalanceKey = EUR, amount: int = 1) -> Block:
    return Block(
        block_id="block-1",
        merchant_id=MERCHANT,
        balance_shop_id=balance.balance_shop_id,
        currency=balance.currency,
        amount=amount,
        purpose=Purpose.MANUAL,
        reference="case-1",
        requested_by="anna",
        created_at=ledger.now,
    )


@dataclass
class Checked:
    """A ledger, and opinions on its balances."""

    ledger: Ledger = field(default_factory=Ledger)
    clock: Callable[[], float] = lambda: 0.0
    time_is_over: Callable[[], bool] = lambda: False

    def make_risky(self) -> None:
        risky = frozenset({ContextKey("payu-ro", "5553", "shop-1")})
        self.ledger.directory.named[MERCHANT] = Merchant(frozenset(), risky)

    def reads(self, merchant_id: str = MERCHANT) -> MemoryMerchantReads:
        return MemoryMerchantReads(self.ledger.store, self.ledger.claims, merchant_id)

    def check(self) -> LogCheck:
        return LogCheck(self.ledger.store, self.ledger.log, self.reads)

    def money(self, balance: BalanceKey = EUR) -> LoggedMoney | None:
        return self.check().logged_money(block_of(self.ledger, balance))

    def available(self, balance: BalanceKey = EUR) -> int | None:
        money = self.money(balance)
        return None if money is None else money.available

    def close_days(self, at: str) -> None:
        """All days until then, by a cut of then."""
        self.ledger.at(at).cut()
        self.run_closer()

    def run_closer(self) -> None:
        store = self.ledger.store
        close_days(
            CloserPorts(
                lambda: store.known_as_of,
                MemoryClosings(store),
                MemoryMovedBalances(store),
                self.reads,
                self.time_is_over,
                logged=ClosingChecks(self.ledger.directory, self.check, self.clock).logged,
            )
        )

    def live(self, balance: BalanceKey = EUR) -> int:
        """What the table says is available before blocks."""
        return next(
            each.available_before_blocks
            for each in self.ledger.store.balances_of(MERCHANT)
            if (each.balance_shop_id, each.currency.code) == balance
        )
