"""AWS calls and CPU per block, refund authorization and payout; blocks a second on one balance.

Calls are those of the real functions on moto, of a function that is cold and of one that is warm.
CPU is theirs over the in-memory fakes, so that it is ours and not a client's. On the embedded AWS,
blocks on one hot balance stand beside a naive read, then write.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final
from unittest.mock import patch

from bench import world
from bench.embedded import stack_of_its_own
from bench.environment import BatchSizes
from bench.results import Bound, Column, Result, Row
from bench.world import Calls
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.directory_ports import ContextReader
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.adapters.outcome_topic import SnsOutcomeTopic
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import (
    BalanceStore,
    BalanceStream,
    OutcomeTopic,
    PayoutClaims,
    RefundClaims,
    TransactionLog,
)
from falcon_balances.adapters.refund_claims import DynamoRefundClaims
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.execution import SplitterInput, ValidMessage
from falcon_balances.domain.blocks import Block, LoggedMoney, Purpose, block_writes
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.storage import (
    MemoryEventClaims,
    MemoryMerchantDirectory,
    MemoryOutcomeTopic,
    MemoryPayoutClaims,
    MemoryRefundClaims,
    MemoryTransactionLog,
)
from falcon_balances.fakes.stream import MemoryBalanceStream
from generated import events
from lambdas.balance_api import systems
from lambdas.balance_api.blocking import request_block
from lambdas.payout_announcer.handler import announce_outcomes
from lambdas.payout_decider.handler import DeciderPorts, decide_payouts
from lambdas.payout_logger.handler import log_payouts
from lambdas.publisher.handler import publish

REPETITIONS: Final = 500
HOT_BLOCKS: Final = 200
HOT_CALLERS: Final = 16
ROUNDS: Final = 3
_CONTEXT: Final = next(iter(events.histories_of(1).values()))[0]
_MERCHANT: Final = _CONTEXT.merchant_id
_BALANCE_SHOP: Final = _CONTEXT.balance_shops["EUR"]
_BALANCE: Final = ItemKey(f"MERCHANT#{_MERCHANT}", f"BALANCE#{_BALANCE_SHOP}#EUR")
_MUCH: Final = 10**12
_NO_CONTEXT: Final[Any] = None  # Powertools only hands it on
_READS: Final = {"BatchGetItem", "GetItem", "Query"}


@dataclass(frozen=True, slots=True)
class Doors:
    """What the functions work on: AWS, or the fakes."""

    store: BalanceStore
    directory: ContextReader
    payouts: PayoutClaims
    log: TransactionLog
    stream: BalanceStream
    outcomes: OutcomeTopic
    refunds: RefundClaims


def _on_aws() -> Doors:
    dynamodb = client("dynamodb")
    DynamoMerchantDirectory(dynamodb, world.CONTEXT_TABLE).name_merchant(
        _MERCHANT, merchants_of([_CONTEXT])[_MERCHANT]
    )
    topic = client("sns").create_topic(Name="payout-outcome")["TopicArn"]
    return Doors(
        DynamoBalanceStore(dynamodb, world.BALANCES_TABLE),
        CachedMerchantDirectory(DynamoMerchantDirectory(dynamodb, world.CONTEXT_TABLE)),
        DynamoPayoutClaims(dynamodb, world.CLAIMS_TABLE, world.BALANCES_TABLE),
        S3TransactionLog(client("s3"), world.LOG_BUCKET),
        KinesisBalanceStream(client("kinesis"), world.STREAM),
        SnsOutcomeTopic(client("sns"), topic),
        DynamoRefundClaims(dynamodb, world.CLAIMS_TABLE, world.BALANCES_TABLE),
    )


def _in_memory() -> Doors:
    store, directory = MemoryBalanceStore(), MemoryMerchantDirectory()
    claims = MemoryEventClaims()
    directory.contexts[_CONTEXT.key] = [_CONTEXT]
    directory.named |= merchants_of([_CONTEXT])
    return Doors(
        store,
        directory,
        MemoryPayoutClaims(claims, store),
        MemoryTransactionLog(),
        MemoryBalanceStream(lambda: events.SENT_AT),
        MemoryOutcomeTopic(),
        MemoryRefundClaims(claims, store),
    )


def _http(path: str, body: dict[str, object], key: str) -> dict[str, Any]:
    path = f"/v1/systems/merchants/{_MERCHANT}/{path}"
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": {"idempotency-key": key},
        "requestContext": {
            "stage": "$default",
            "requestId": "bench",
            "http": {"method": "POST", "path": path},
            "authorizer": {"iam": {"userArn": "arn:aws:iam::000000000000:user/bench"}},
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def _block(doors: Doors, n: int) -> None:  # noqa: ARG001 - the handler has its own
    body = {"balance_shop_id": _BALANCE_SHOP, "amount": "0.01", "currency": "EUR"}
    answer = systems.lambda_handler(
        _http("blocks", {**body, "reference": "b"}, f"k-{n}"), _NO_CONTEXT
    )
    assert answer["statusCode"] == 201, answer  # noqa: PLR2004 - created


def _authorization(doors: Doors, n: int) -> None:  # noqa: ARG001 - as above
    key = _CONTEXT.key._asdict()
    body = {**key, "external_reference": f"r-{n}", "amount": "0.01", "currency": "EUR"}
    answer = systems.lambda_handler(_http("refund-authorizations", body, ""), _NO_CONTEXT)
    assert answer["statusCode"] == 201, answer  # noqa: PLR2004 - created


def _payout(doors: Doors, n: int) -> None:
    event = {
        "schema_version": "1",
        "payout_id": f"po-{n}",
        "merchant_id": _MERCHANT,
        "balance_shop_id": _BALANCE_SHOP,
        "amount": "0.01",
        "currency": "EUR",
        "requested_at": "2026-03-05T10:00:00Z",
        "valid_until": "2999-01-01T00:00:00Z",
    }
    message = ValidMessage(message_id="1", received_at="2026-03-05T10:00:00Z", event=event)
    deciding = DeciderPorts(doors.payouts, lambda _block: LoggedMoney(0, 0), events.SENT_AT)
    step = SplitterInput(stage=Stage.PAYOUT, messages=(message,))
    decided = decide_payouts(step, doors.directory, deciding)
    logged = log_payouts(decided, doors.payouts, doors.log)
    publish(logged.publish, doors.stream, doors.payouts)
    announce_outcomes(logged.announce, doors.payouts, doors.outcomes)


_OPERATIONS: Final[dict[str, Callable[[Doors, int], None]]] = {
    "block": _block,
    "refund authorization": _authorization,
    "payout": _payout,
}


@contextmanager
def _served(doors: Doors) -> Iterator[None]:
    """The systems' API on these doors, with money to spend."""
    doors.store.transact([AddCounters(_BALANCE, {"available": _MUCH, "operations_count": 1})])
    with (
        patch.object(systems, "_store", lambda: doors.store),
        patch.object(systems, "_directory", lambda: doors.directory),
        patch.object(systems, "_refund_claims", lambda: doors.refunds),
    ):
        yield


def _calls_of(name: str, sizes: BatchSizes) -> tuple[Calls, Calls]:
    """Those of the first, when nothing is cached, and of the second."""
    with world.environment(sizes, events.histories_of(1)):
        doors = _on_aws()
        with _served(doors):
            counted = []
            for n in range(2):
                with world.counted() as calls:
                    _OPERATIONS[name](doors, n)
                counted.append(calls)
    return counted[0], counted[1]


def _cpu_ms(name: str) -> float:
    doors = _in_memory()
    with _served(doors):
        taken = []
        for n in range(REPETITIONS):
            begun = process_time()
            _OPERATIONS[name](doors, n)
            taken.append(process_time() - begun)
    return 1000 * median(taken)


def run(sizes: BatchSizes) -> Result:
    rows: list[Row] = []
    bounds = []
    for name in _OPERATIONS:
        cold, warm = _calls_of(name, sizes)
        rows.append(
            {
                "operation": name,
                "cold": sum(cold.counts.values()),
                "warm": sum(warm.counts.values()),
                "which": _said(warm),
                "cpu_ms": round(_cpu_ms(name), 3),
            }
        )
        if name != "payout":
            bounds.append(
                Bound(
                    f"{name}, warm: one transaction, and of each table at most one read",
                    _transacts_once(warm),
                    fails_the_run=True,
                )
            )
    return Result(
        name="spending",
        title="AWS calls and CPU per block, refund authorization and payout",
        columns=(
            Column("operation", "operation"),
            Column("cold", "calls, cold"),
            Column("warm", "calls, warm"),
            Column("which", "which, warm"),
            Column("cpu_ms", "CPU ms", decimals=3),
        ),
        rows=rows,
        bounds=tuple(bounds),
    )


def _transacts_once(calls: Calls) -> bool:
    """A refund's balances are read for its sale and its attempts, besides the merchants."""
    reads = {call: count for call, count in calls.counts.items() if call[1] in _READS}
    by_kind = Counter(operation for _, operation, _ in calls.counts.elements())
    tables = Counter(table for _, _, table in reads)
    return (
        by_kind["TransactWriteItems"] == 1
        and calls.counts.total() == 1 + sum(reads.values())
        and max([*tables.values(), *reads.values()], default=0) <= 1
    )


def _said(calls: Calls) -> str:
    by_operation = Counter(operation for _, operation, _ in calls.counts.elements())
    return ", ".join(f"{count} {operation}" for operation, count in sorted(by_operation.items()))


def _hot_block(n: str) -> Block:
    return Block(
        block_id=n,
        merchant_id=_MERCHANT,
        balance_shop_id=_BALANCE_SHOP,
        currency="EUR",
        amount=1,
        purpose=Purpose.MANUAL,
        reference="bench",
        requested_by="bench",
        created_at=events.SENT_AT,
    )


def _naive(block: Block, store: BalanceStore) -> None:
    """Looks whether there is enough, then writes: what must not be done, and what it would cost."""
    (balance,) = store.balances(block.merchant_id)
    assert balance.available >= block.amount
    put, added = block_writes(block)
    assert isinstance(added, AddCounters)
    while store.transact([put, AddCounters(added.key, added.counters)]):
        pass


def run_hot() -> Result:
    """Blocks a second, many callers on one balance: medians of rounds taken in turn."""
    ways: dict[str, Callable[[Block, BalanceStore], object]] = {
        "a block, one conditional transaction": request_block,
        "naive: read, then write without condition": _naive,
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with stack_of_its_own() as (stack, _folder):
        store = DynamoBalanceStore(stack.target.client("dynamodb"), stack.target.balances_table)
        store.transact([AddCounters(_BALANCE, {"available": _MUCH, "operations_count": 1})])
        for number in range(ROUNDS):
            for name, ask in ways.items():
                blocks = [_hot_block(f"{name[:5]}-{number}-{n}") for n in range(HOT_BLOCKS)]
                begun = perf_counter()
                with ThreadPoolExecutor(HOT_CALLERS) as pool:
                    list(pool.map(lambda block, ask=ask: ask(block, store), blocks))
                taken[name].append(HOT_BLOCKS / (perf_counter() - begun))
    per_s = {name: median(rates) for name, rates in taken.items()}
    naive = list(per_s.values())[-1]
    return Result(
        name="hot balance",
        title=(
            f"Blocks a second on one balance, {HOT_CALLERS} callers on the embedded AWS "
            f"({os.cpu_count()} cores for all of it)"
        ),
        columns=(
            Column("way", "way"),
            Column("per_s", "blocks/s", decimals=1),
            Column("ratio", "to naive", decimals=2),
        ),
        rows=[
            {"way": name, "per_s": round(rate, 1), "ratio": round(rate / naive, 2)}
            for name, rate in per_s.items()
        ],
        bounds=(),
    )
