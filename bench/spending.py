"""AWS calls and CPU per block, refund authorization and payout.

Calls are counted with the real functions on moto, cold and warm. CPU is measured over the in-memory
fakes, so that it is only our code's, without a client's.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import process_time
from typing import Any, Final
from unittest.mock import patch

from bench import world
from bench.environment import batch_sizes_of
from bench.results import Bound, Result
from bench.world import Calls, spelled
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.contracts.execution import SplitterInput, ValidMessage
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import BalanceKey, ItemKey, merchant_pk
from falcon_balances.domain.table_writes import AddCounters
from generated import events
from inprocess.aws import CONTEXT_TABLE, AwsPlaces
from inprocess.functions import Functions
from inprocess.gateway import authorized, request_of
from inprocess.places import MemoryPlaces, Places
from lambdas.systems_api import adapters
from lambdas.systems_api import handler as systems

REPETITIONS: Final = 500
CONTEXT: Final = next(iter(events.histories_of(1).values()))[0]
MERCHANT: Final = CONTEXT.merchant_id
BALANCE_SHOP: Final = CONTEXT.balance_shops["EUR"]
PLENTY: Final = AddCounters(
    ItemKey(merchant_pk(MERCHANT), BalanceKey(BALANCE_SHOP, "EUR").sk),
    {"available": 10**12, "operations_count": 1},
)
_NO_CONTEXT: Final[Any] = None  # Powertools only hands it on
_READS: Final = {"BatchGetItem", "GetItem", "Query"}
_AMOUNT: Final = {"amount": "0.01", "currency": "EUR"}
_CREATED: Final = 201


def _on_aws() -> Places:
    DynamoMerchantDirectory(client("dynamodb"), CONTEXT_TABLE).name_merchant(
        MERCHANT, merchants_of([CONTEXT])[MERCHANT]
    )
    return AwsPlaces(client("sns").create_topic(Name="payout-outcome")["TopicArn"])


def _in_memory() -> Places:
    places = MemoryPlaces(lambda: events.SENT_AT)
    places.directory.contexts[CONTEXT.key] = [CONTEXT]
    places.directory.named |= merchants_of([CONTEXT])
    return places


def _post(path: str, body: dict[str, Any], key: str) -> None:
    path = f"/v1/systems/merchants/{MERCHANT}/{path}"
    request = request_of("POST", path, "", json.dumps(body | _AMOUNT), idempotency_key=key)
    event = authorized(request, {"iam": {"userArn": "arn:aws:iam::000000000000:user/bench"}})
    answer = systems.lambda_handler(event, _NO_CONTEXT)
    assert answer["statusCode"] == _CREATED, answer


def _block(_places: Places, n: int) -> None:
    _post("blocks", {"balance_shop_id": BALANCE_SHOP, "reference": "b"}, f"k-{n}")


def _authorization(_places: Places, n: int) -> None:
    body = {**CONTEXT.key._asdict(), "external_reference": f"r-{n}"}
    _post("refund-authorizations", body, "")


def _payout(places: Places, n: int) -> None:
    event = {
        "schema_version": "1",
        "payout_id": f"po-{n}",
        "merchant_id": MERCHANT,
        "balance_shop_id": BALANCE_SHOP,
        **_AMOUNT,
        "requested_at": "2026-03-05T10:00:00Z",
        "valid_until": "2999-01-01T00:00:00Z",
    }
    message = ValidMessage(message_id="1", received_at="2026-03-05T10:00:00Z", event=event)
    functions = Functions(places, lambda: events.SENT_AT)
    step = SplitterInput(stage=Stage.PAYOUT, messages=(message,)).model_dump_json()
    logged = json.loads(functions.invoke("PayoutLogger", functions.invoke("PayoutDecider", step)))
    functions.invoke("Publisher", json.dumps(logged["publish"]))
    functions.invoke("PayoutAnnouncer", json.dumps(logged["announce"]))


_OPERATIONS: Final[dict[str, Callable[[Places, int], None]]] = {
    "block": _block,
    "refund authorization": _authorization,
    "payout": _payout,
}


@contextmanager
def _served(places: Places) -> Iterator[None]:
    """The systems' API on these places, with money to spend."""
    places.store.transact([PLENTY])
    with (
        patch.object(adapters, "store", lambda: places.store),
        patch.object(adapters, "directory", lambda: places.directory),
        patch.object(adapters, "refund_claims", lambda: places.refunds),
    ):
        yield


def _calls_of(name: str) -> tuple[Calls, Calls]:
    """The calls of the first request, when nothing is cached, and of the second."""
    with world.environment(batch_sizes_of("live").shards, events.histories_of(1)):
        places = _on_aws()
        with _served(places):
            counted = []
            for n in range(2):
                with world.counted() as calls:
                    _OPERATIONS[name](places, n)
                counted.append(calls)
    return counted[0], counted[1]


def _cpu_ms(name: str) -> float:
    places = _in_memory()
    with _served(places):
        taken = []
        for n in range(REPETITIONS):
            begun = process_time()
            _OPERATIONS[name](places, n)
            taken.append(process_time() - begun)
    return 1000 * median(taken)


def run() -> list[Result]:
    calls = {name: _calls_of(name) for name in _OPERATIONS}
    return [
        Result(
            name="spending",
            title="AWS calls and CPU per block, refund authorization and payout",
            columns={
                "operation": "operation",
                "cold": "calls, cold",
                "warm": "calls, warm",
                "which": "which, warm",
                "cpu_ms": ("CPU ms", 3),
            },
            rows=[
                {
                    "operation": name,
                    "cold": cold.counts.total(),
                    "warm": warm.counts.total(),
                    "which": spelled(warm.by_operation()),
                    "cpu_ms": round(_cpu_ms(name), 3),
                }
                for name, (cold, warm) in calls.items()
            ],
            bounds=[
                Bound(
                    f"{name}, warm: one transaction, and of each table at most one read",
                    _transacts_once(warm),
                )
                for name, (_, warm) in calls.items()
                if name != "payout"
            ],
        )
    ]


def _transacts_once(calls: Calls) -> bool:
    """Whether there is one transaction, and besides it at most one read of each table."""
    reads = {call: count for call, count in calls.counts.items() if call[1] in _READS}
    tables = Counter(table for _, _, table in reads)
    return (
        calls.by_operation()["TransactWriteItems"] == 1
        and calls.counts.total() == 1 + sum(reads.values())
        and max([*tables.values(), *reads.values()], default=0) <= 1
    )
