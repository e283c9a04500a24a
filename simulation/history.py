"""A log that grows day by day by the real functions, with the night's work after each day.

The queue, the stream and the scheduler only hand on: what arrives goes through splitter, persister,
publisher and reducer, then the cutter, the closer, the sealer and the reconciler run.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Any, Final

from bench.core import dispatch_batch
from bench.environment import BatchSizes, batch_sizes_of
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.operations import Stage
from falcon_balances.fakes.stream import MemoryBalanceStream
from falcon_balances.observability import metrics
from generated import events
from inprocess.aws import CONTEXT_TABLE, AwsPlaces
from inprocess.functions import Functions
from lambdas.cutter.handler import put_cuts
from lambdas.persister.handler import CONCURRENT_MESSAGES
from simulation.account import ENVIRONMENT, Account
from simulation.metering import Cost

MERCHANTS: Final = 8
STATEMENTS: Final = "falcon-statements"
_COUNTED_AT: Final = time(12, tzinfo=UTC)
_CUT_AT: Final = time(0, 10, tzinfo=UTC)
NIGHT: Final = {
    "closer": time(0, 15, tzinfo=UTC),
    "sealer": time(1, 0, tzinfo=UTC),
    "reconciler": time(6, 30, tzinfo=UTC),
}
"""The functions of the night, and when the first run of each starts."""
Work = Callable[[str], tuple[Cost, Any]]


@dataclass(frozen=True, slots=True)
class DayOfWork:
    """`operations` are messages in both stages, of so many merchants; `risky` are further ones, of
    the merchant of high risk. `batches`: of each shard.
    """

    operations: int
    merchants: int = 2
    risky: int = 2
    batches: int = 1


class History:
    """`work` runs a function by its name; a test can plant others."""

    def __init__(self, account: Account, work: Work | None = None) -> None:
        self.account = account
        self._work = account.run if work is None else work
        self._sizes: BatchSizes = batch_sizes_of(ENVIRONMENT)
        self._places = AwsPlaces()
        self._stream = MemoryBalanceStream(lambda: account.now, self._sizes.shards)
        self._places.stream = self._stream  # type: ignore[assignment]
        self._read = dict.fromkeys(self._stream.by_id, 0)
        self._numbers = 0
        self.own_objects = 0
        """Log objects of the merchant of high risk, whom `requests` ask about."""
        _name_merchants()

    @property
    def objects(self) -> int:
        """In the log: one for each operation and stage."""
        return 2 * self._numbers

    def day(self, day: date, work: DayOfWork) -> int:
        """What arrives on a day is counted. Returns how many pages the journals got."""
        self.account.now = datetime.combine(day, _COUNTED_AT)
        of_merchants = [1 + n % work.merchants for n in range(work.operations)]
        confirmed = [self._confirmed(day, each) for each in (*of_merchants, *[0] * work.risky)]
        reconciled = [_reconciled(each, day) for each in confirmed]
        with self._functions() as functions:
            for stage, bodies in ((Stage.CONFIRMED, confirmed), (Stage.RECONCILED, reconciled)):
                for batch in _batches(bodies, self._sizes.queue_messages, self.account.now):
                    dispatch_batch(stage, batch, functions, self._sizes)
            pages = self._reduce(functions, work.batches)
        self._show_statement(day, confirmed)
        self.own_objects += 2 * work.risky
        return pages

    def night(self, day: date) -> dict[str, Cost]:
        """The work of the night after a day, and what each function's first run cost."""
        following = day + timedelta(days=1)
        self.account.now = datetime.combine(following, _CUT_AT)
        put_cuts(self.account.now, self._stream)
        with self._functions() as functions:
            self._reduce(functions, 1)
        costs = {}
        for name, at in NIGHT.items():
            self.account.now = datetime.combine(following, at)
            costs[name], _ = self._work(name)
            metrics.clear_metrics()
        return costs

    @contextmanager
    def _functions(self) -> Iterator[Functions]:
        with ThreadPoolExecutor(CONCURRENT_MESSAGES) as pool:
            yield Functions(self._places, lambda: self.account.now, pool.map, lambda _s: None)

    def _reduce(self, functions: Functions, batches: int) -> int:
        reduced = 0
        for shard_id, shard in self._stream.by_id.items():
            new = shard.records[self._read[shard_id] :]
            size = max(1, ceil(len(new) / batches))
            for start in range(0, len(new), size):
                some = new[start : start + size]
                functions.reduce(shard_id, [(each.data, each.arrived_at) for each in some])
                metrics.clear_metrics()
                reduced += 1
            self._read[shard_id] = len(shard.records)
        return reduced

    def _confirmed(self, day: date, merchant: int) -> events.Document:
        [message] = events.captures(1, 1, self._numbers)
        self._numbers += 1
        said = {**json.loads(message.body), "operation_date": f"{day}T09:00:00Z"}
        return {**said, **events.local_merchant(merchant)}

    def _show_statement(self, day: date, confirmed: list[events.Document]) -> None:
        rows = [f"{each['external_reference']},{each['amount']},EUR,{day}\n" for each in confirmed]
        client("s3").put_object(
            Bucket=STATEMENTS,
            Key=f"statements/reconciled/psp_id={events.PSP_ID}/date={day}/day.csv",
            Body="".join(["reference,amount,currency,date\n", *rows]).encode(),
        )


def _reconciled(confirmed: events.Document, day: date) -> events.Document:
    reference = f"bank-{confirmed['external_reference']}"
    return {**confirmed, "reconciled_date": f"{day}T10:00:00Z", "bank_reference": reference}


def _batches(bodies: list[events.Document], size: int, now: datetime) -> Iterator[dict[str, Any]]:
    sent = {"SentTimestamp": str(int(now.timestamp()) * 1000)}
    records = [
        {"messageId": str(n), "body": json.dumps(body), "attributes": sent}
        for n, body in enumerate(bodies)
    ]
    for start in range(0, len(records), size):
        yield {"Records": records[start : start + size]}


def _name_merchants() -> None:
    """The first is of high risk, so its blocks are checked a second time."""
    directory = DynamoMerchantDirectory(client("dynamodb"), CONTEXT_TABLE)
    first, *others = events.context_documents(MERCHANTS)
    contexts = [parse_merchant_context(each) for each in (first | {"risk": "high"}, *others)]
    for merchant_id, merchant in merchants_of(contexts).items():
        directory.name_merchant(merchant_id, merchant)
