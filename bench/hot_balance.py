"""Blocks a second on one hot balance of the embedded AWS, beside a naive read and write."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter
from typing import Final

from bench.embedded import stack_of_its_own
from bench.results import Result
from bench.spending import BALANCE_SHOP, MERCHANT, PLENTY
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.domain.blocks import Block, Purpose, block_writes
from falcon_balances.domain.table_writes import AddCounters
from generated import events
from lambdas.systems_api.blocking import request_block

BLOCKS: Final = 200
CALLERS: Final = 16
ROUNDS: Final = 3


def _block(n: str) -> Block:
    return Block(
        block_id=n,
        merchant_id=MERCHANT,
        balance_shop_id=BALANCE_SHOP,
        currency="EUR",
        amount=1,
        purpose=Purpose.MANUAL,
        reference="bench",
        requested_by="bench",
        created_at=events.SENT_AT,
    )


def _naive(block: Block, store: BalanceStore) -> None:
    """Reads whether there is enough, then writes: incorrect, and here only to compare its speed."""
    (balance,) = store.balances(block.merchant_id)
    assert balance.available >= block.amount
    put, added = block_writes(block)
    assert isinstance(added, AddCounters)
    while store.transact([put, AddCounters(added.key, added.counters)]):
        pass


def run() -> list[Result]:
    """Many callers on one balance: medians of rounds taken in turn."""
    ways: dict[str, Callable[[Block, BalanceStore], object]] = {
        "a block, one conditional transaction": request_block,
        "naive: read, then write without condition": _naive,
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with stack_of_its_own() as (stack, _folder):
        store = DynamoBalanceStore(stack.target.client("dynamodb"), stack.target.balances_table)
        store.transact([PLENTY])
        for number in range(ROUNDS):
            for name, ask in ways.items():
                blocks = [_block(f"{name[:5]}-{number}-{n}") for n in range(BLOCKS)]
                begun = perf_counter()
                with ThreadPoolExecutor(CALLERS) as pool:
                    list(pool.map(lambda block, ask=ask: ask(block, store), blocks))
                taken[name].append(BLOCKS / (perf_counter() - begun))
    per_s = {name: median(rates) for name, rates in taken.items()}
    naive = list(per_s.values())[-1]
    return [
        Result(
            name="hot balance",
            title=(
                f"Blocks a second on one balance, {CALLERS} callers on the embedded AWS "
                f"({os.cpu_count()} cores for all of it)"
            ),
            columns={"way": "way", "per_s": ("blocks/s", 1), "ratio": ("to naive", 2)},
            rows=[
                {"way": name, "per_s": round(rate, 1), "ratio": round(rate / naive, 2)}
                for name, rate in per_s.items()
            ],
        )
    ]
