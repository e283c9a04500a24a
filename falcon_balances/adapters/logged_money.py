"""Reads what the log has for a balance: a second check for merchants of high risk (design §8)."""

from falcon_balances.adapters.ports import BalanceStore, TransactionLog
from falcon_balances.domain.balances import fold
from falcon_balances.domain.blocks import Block, LoggedMoney, logged_blocks


def logged_money(block: Block, store: BalanceStore, log: TransactionLog) -> LoggedMoney:
    """The logged money of the block's balance. The order matters. The count is read first: if more
    is counted afterwards, the block's transaction fails and the log is read again. Blocks are read
    last, so that an operation that is in the log but not in the balance is found with its block,
    unless it was counted in between.
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
    segments = log.segments_of(block.merchant_id)
    folded = fold(segments)
    counters = folded.get((block.merchant_id, block.balance_shop_id, block.currency), {})
    logged_ids = {segment.falcon_operation_id for segment in segments}
    beside = (
        each for each in store.blocks_of(block.merchant_id) if each.balance_key == block.balance_key
    )
    return LoggedMoney(counters.get("available", 0), counted, *logged_blocks(beside, logged_ids))
