"""What the log says of balances while others count, and of days when they are closed."""

from collections.abc import Collection, Mapping

from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.domain.blocks import Block, Purpose
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, Merchant
from falcon_balances.domain.table_keys import BalanceKey, is_balance, merchant_pk
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from lambdas.closer.checking import ClosingChecks
from tests.property.pipeline import Pipeline

_RISKY = Merchant(frozenset(), frozenset({ContextKey("psp", "any", "shop")}))


class _AllOfHighRisk:
    def merchants(self, merchant_ids: Collection[str]) -> Mapping[str, Merchant]:
        return dict.fromkeys(merchant_ids, _RISKY)

    def histories(self, _keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        raise NotImplementedError

    def context_of(
        self, _key: ContextKey, _merchant_id: str
    ) -> tuple[ContextHistory, Merchant | None]:
        raise NotImplementedError


def closing_checks(pipeline: Pipeline) -> ClosingChecks:
    """Of every merchant, and without a limit of time."""
    check = LogCheck(pipeline.store, pipeline.log, pipeline.places.reads_of, lambda: 0.0)
    return ClosingChecks(_AllOfHighRisk(), lambda: check, lambda: 0.0)


def check_opinions(pipeline: Pipeline, reads: MemoryMerchantReads) -> set[str]:
    """An opinion is right, or something was counted since, or there is none: which of these."""
    check = LogCheck(pipeline.store, pipeline.log, lambda _merchant_id: reads, lambda: 0.0)
    found = set[str]()
    counters = pipeline.store.counters
    pk = merchant_pk(reads.merchant_id)
    for key in [key for key in counters if key.pk == pk and is_balance(key)]:
        money = check.logged_money(_block(pipeline, reads.merchant_id, BalanceKey.parse(key.sk)))
        live = counters[key]
        if money is None:
            found.add("no opinion")
        elif money.operations_count != live["operations_count"]:
            found.add("an opinion that is too old")
        else:
            there = live.get("available", 0) + live.get("blocked", 0)
            assert money.available == there, "the log says otherwise"
            found.add("an opinion")
    return found


def _block(pipeline: Pipeline, merchant_id: str, balance: BalanceKey) -> Block:
    return Block(
        block_id="block-1",
        merchant_id=merchant_id,
        balance_shop_id=balance.balance_shop_id,
        currency=balance.currency,
        amount=1,
        purpose=Purpose.MANUAL,
        reference="case-1",
        requested_by="anna",
        created_at=pipeline.now,
    )
