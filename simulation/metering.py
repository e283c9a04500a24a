"""What a run of a real function costs: its calls to AWS, their latency, bytes, and CPU time.

Botocore is metered, so whatever a function calls is counted. Latencies are those of the dated
table. Calls of a thread pool wait at the same time: as many as its workers, or its tasks if these
are fewer; they share the function's bandwidth. CPU time is this machine's, without the fake AWS's.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from threading import Lock, current_thread
from time import process_time, thread_time
from typing import Any, Final
from unittest.mock import patch

from botocore.client import BaseClient
from moto.core.botocore_stubber import BotocoreStubber

from falcon_balances.capacity.item_units import UNIT_BYTES
from falcon_balances.capacity.prices import Prices
from simulation.assumptions import assumptions

_READ_UNIT_BYTES: Final = 4 * UNIT_BYTES
_S3_WRITES: Final = ("PutObject", "ListObjectsV2", "ListObjectVersions", "CopyObject")
_TABLE_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


@dataclass(slots=True)
class Cost:
    """`items`: items and keys in answers. `size`: the bytes of their texts and of objects."""

    calls: Counter[str] = field(default_factory=Counter)
    items: int = 0
    size: int = 0
    latency_s: float = 0.0
    cpu_s: float = 0.0
    units: Counter[str] = field(default_factory=Counter)
    """Units and requests by the names of the price table."""

    def seconds(self, memory_mb: int) -> float:
        vcpu = min(1.0, memory_mb / assumptions().vcpu_memory_mb)
        transfer_s = self.size / assumptions().transfer_bytes_per_s
        begun_s = assumptions().warm_start_ms / 1000
        return begun_s + self.latency_s + transfer_s + self.cpu_s / vcpu

    def usd(self, memory_mb: int, prices: Prices) -> float:
        gb_s = self.seconds(memory_mb) * memory_mb / 1024
        spent = {**self.units, "lambda_request": 1, "lambda_gb_s": gb_s}
        return sum(count * prices.per_million[name] for name, count in spent.items()) / 1e6

    def add(self, call: str, answer: dict[str, Any], waiting: int) -> None:
        size, items = _size(answer), _items(answer)
        self.calls[call] += 1
        self.items += items
        self.size += size
        self.latency_s += assumptions().latency_s(call, items) / waiting
        name, count = _billed(call, size, items)
        if name:
            self.units[name] += count


@contextmanager
def metered() -> Iterator[Cost]:
    """The cost of what runs in the `with` block."""
    cost, pools, lock = Cost(), _Pools(), Lock()
    call: Any = vars(BaseClient)["_make_api_call"]
    answer_by_moto = BotocoreStubber.__call__
    moto_s = 0.0

    def counted(self: Any, operation: str, parameters: Any) -> Any:
        answer: dict[str, Any] = {}
        try:
            answer = call(self, operation, parameters)
        finally:
            with lock:
                service = self.meta.service_model.service_name
                cost.add(f"{service}:{operation}", answer, pools.waiting())
        return answer

    def timed(self: Any, *event: Any, **more: Any) -> Any:
        nonlocal moto_s
        begun = thread_time()
        try:
            return answer_by_moto(self, *event, **more)
        finally:
            with lock:
                moto_s += thread_time() - begun

    with (
        patch.object(BaseClient, "_make_api_call", counted),
        patch.object(BotocoreStubber, "__call__", timed),
        pools.watched(),
    ):
        begun = process_time()
        yield cost
        cost.cpu_s = max(0.0, process_time() - begun - moto_s)


class _Pools:
    """How many calls of a thread pool wait at the same time, by the prefix of its threads."""

    def __init__(self) -> None:
        self._tasks: Counter[str] = Counter()
        self._workers: dict[str, int] = {}

    def waiting(self) -> int:
        pool = current_thread().name.rpartition("_")[0]
        return max(1, min(self._workers.get(pool, 1), self._tasks[pool]))

    @contextmanager
    def watched(self) -> Iterator[None]:
        submit = ThreadPoolExecutor.submit

        def noted(pool: Any, *task: Any, **more: Any) -> Any:
            self._workers[pool._thread_name_prefix] = pool._max_workers
            self._tasks[pool._thread_name_prefix] += 1
            return submit(pool, *task, **more)

        with patch.object(ThreadPoolExecutor, "submit", noted):
            yield


def _items(answer: dict[str, Any]) -> int:
    batches = answer.get("Responses", ())
    found = batches.values() if isinstance(batches, dict) else batches
    lists = [answer.get(name, ()) for name in ("Items", "Contents", "CommonPrefixes", "Versions")]
    return sum(map(len, [*lists, *found])) + ("Item" in answer)


def _size(value: Any) -> int:
    if isinstance(value, dict):
        own = int(value.get("ContentLength", 0))
        return own + sum(_size(each) for name, each in value.items() if name != "ResponseMetadata")
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value) if isinstance(value, str | bytes) else 0


def _billed(call: str, size: int, items: int) -> tuple[str, int]:
    """Reads are strongly consistent, and written items small. KMS and others are not priced."""
    service, _, operation = call.partition(":")
    if service == "s3":
        return ("s3_put" if operation in _S3_WRITES else "s3_get"), 1
    if service != "dynamodb":
        return "", 0
    if operation in _TABLE_WRITES:
        return "write_unit_ia", 1
    least = items if operation == "BatchGetItem" else 1
    return "read_unit_ia", max(least, ceil(size / _READ_UNIT_BYTES))
