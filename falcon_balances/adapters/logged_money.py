"""What the log itself has for a balance: a second opinion on merchants of high risk (design §8)."""

from falcon_balances.adapters.ports import BalanceStore, TransactionLog
from falcon_balances.domain.balances import fold
from falcon_balances.domain.blocks import Block, LoggedMoney


def logged_money(block: Block, store: BalanceStore, log: TransactionLog) -> LoggedMoney:
    """For the block's balance. What is counted is read first: whatever is counted after that makes
    the block's transaction fail, and the log is read again.
    """
    counted = next(
        (
            balance.operations_count
            for balance in store.balances(block.merchant_id)
            if (balance.balance_shop_id, balance.currency.code)
            == (block.balance_shop_id, block.currency)
        ),
        0,
    )
    folded = fold(log.segments_of(block.merchant_id))
    counters = folded.get((block.merchant_id, block.balance_shop_id, block.currency), {})
    return LoggedMoney(counters.get("available", 0), counted)
