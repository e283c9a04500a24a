"""The merchants' API: AWS calls of each read, and its CPU beside a bare handler's.

The bare handler makes the same calls of DynamoDB with boto3 and dumps JSON of the same size: it
knows no routes, checks nothing and adds nothing up. Both run on one client, over recorded answers.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from logging import StreamHandler
from os import devnull
from pathlib import Path
from statistics import median
from time import process_time
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from botocore import xform_name

from bench import world
from bench.core import measure
from bench.environment import BatchSizes
from bench.results import Bound, Column, Result, Row
from bench.wire import Exchange, answered, played_back, recorded
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import PspOperation, Stage
from falcon_balances.domain.splitting import split
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import BalanceApiSettings
from generated import events
from lambdas.balance_api import handler
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord

EVENTS: Final = 400
ROUNDS: Final = 9
ROUND_S: Final = 0.2  # CPU of our half of a round, about
RATIO_MAX: Final = 2
MERCHANT: Final = "m-000"
BALANCE_SHOP: Final = "bs-000-eur"
MONTH: Final = "2026-03"
CUTS: Final = 60
AS_OF: Final = datetime(2026, 4, 2, 10, 0, tzinfo=UTC)
NOW: Final = AS_OF + timedelta(seconds=41)
_BEGINNING: Final = datetime(2026, 3, 1, tzinfo=UTC)
_BETWEEN_EVENTS: Final = timedelta(days=28) / EVENTS
_SHARD: Final = "shardId-000000000000"
_OK: Final = 200
_CONTEXT: Final[Any] = SimpleNamespace(aws_request_id="bench", function_name="bench")


@dataclass(frozen=True, slots=True)
class Read:
    """A request by what follows the merchant's address."""

    name: str
    path: str
    query: str = ""


def reads_of(falcon_operation_id: str) -> tuple[Read, ...]:
    """Each route, and what has a way of its own behind it. `source=log` reads S3, at any length."""
    shop = f"/balances/{BALANCE_SHOP}"
    day = "from=2026-03-27T00:00:00Z&to=2026-03-28T00:00:00Z"
    return (
        Read("balances", "/balances"),
        Read("one balance", shop),
        Read("balances at a quarter", "/balances", "at=2026-03-28T00:00:00Z"),
        Read("history of a day", f"{shop}/history", day),
        Read("operations, 50", "/operations"),
        Read("operation", f"/operations/{falcon_operation_id}"),
        Read("turnover of a month", "/turnover", f"month={MONTH}"),
        Read("statement, 200 operations", f"/statements/{MONTH}"),
        Read("statement as CSV", f"/statements/{MONTH}", "format=csv"),
        Read("unreconciled, 50", "/unreconciled"),
    )


def event_of(read: Read) -> dict[str, Any]:
    """As the gateway hands it over, with the claims of a verified token."""
    path = f"/v1/merchants/{MERCHANT}{read.path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "ANY /v1/{proxy+}",
        "rawPath": path,
        "rawQueryString": read.query,
        "headers": {"accept": "application/json", "host": "api.example.com"},
        "requestContext": {
            "stage": "$default",
            "requestId": "JKJaXmPLvHcESHA=",
            "http": {"method": "GET", "path": path, "sourceIp": "192.0.2.1", "userAgent": "bench"},
            "authorizer": {"jwt": {"claims": {"custom:merchant_id": MERCHANT, "token_use": "id"}}},
        },
        "isBase64Encoded": False,
    }
    if read.query:
        pairs = (each.split("=") for each in read.query.split("&"))
        event["queryStringParameters"] = dict(pairs)
    return event


def answer_to(event: dict[str, Any]) -> dict[str, Any]:
    answer = handler.lambda_handler(event, _CONTEXT)
    assert answer["statusCode"] == _OK, answer
    return answer


@contextmanager
def function() -> Iterator[None]:
    """The function as deployed, at a fixed time: it logs one line for each request."""
    settings = BalanceApiSettings(
        balances_table=world.BALANCES_TABLE,
        claims_table=world.CLAIMS_TABLE,
        log_bucket=world.LOG_BUCKET,
        log_objects_max=1_000,
    )
    with (
        patch.object(handler, "_settings", lambda: settings),
        patch.object(handler.routes, "now", lambda: NOW),
        _logging(),
    ):
        yield


@contextmanager
def _logging() -> Iterator[None]:
    output, level = logger.registered_handler, logger.log_level
    assert isinstance(output, StreamHandler)
    with Path(devnull).open("w") as nowhere:
        before = output.setStream(nowhere)
        logger.setLevel("INFO")
        try:
            yield
        finally:
            logger.setLevel(level)
            output.setStream(before)


def _count_events() -> str:
    """Spread over a month, and closed since. Answers with an operation in both of its stages."""
    store = DynamoBalanceStore(client("dynamodb"), world.BALANCES_TABLE)
    claims = DynamoEventClaims(client("dynamodb"), world.CLAIMS_TABLE)
    records, reconciled = [], ""
    for n, message in enumerate(events.mixed(EVENTS, merchants=1)):
        arrived_at = _BEGINNING + (n + 1) * _BETWEEN_EVENTS
        body = _dated(message, arrived_at)
        operation = parse_message(body, message.stage, mode="test", sent_at=arrived_at)
        assert isinstance(operation, PspOperation)
        said = split(operation, events.histories_of(1))
        claim = ClaimV1.of(operation, rfc3339(arrived_at.replace(microsecond=0)), said)
        assert claims.claim(claim) is None
        for segment in claim.segments:
            data = SegmentRecordV1.of(claim, segment).model_dump_json().encode()
            records.append(StreamRecord(data, arrived_at))
        if message.stage is Stage.RECONCILED:
            reconciled = said.falcon_operation_id
    stream = KinesisBalanceStream(client("kinesis"), world.STREAM)
    quarantine = S3Quarantine(client("s3"), world.QUARANTINE_BUCKET)
    reduce_batch(_SHARD, records, ReducerPorts(store, stream, quarantine))
    metrics.clear_metrics()
    for minutes in reversed(range(CUTS)):
        cut = Cut(AS_OF - timedelta(minutes=minutes), (_SHARD,))
        store.meet_cut(cut, _SHARD)
        store.advance_as_of(cut.cut_at)
        store.complete_cut(cut.cut_at, cut.cut_at + timedelta(seconds=2))
    return reconciled


def _dated(message: events.Message, arrived_at: datetime) -> bytes:
    """An operation is an hour old when it arrives; reconciled is that of the event before."""
    document = json.loads(message.body)
    n = int(document["external_reference"].split("-")[1])
    operation_date = _BEGINNING + (n + 1) * _BETWEEN_EVENTS - timedelta(hours=1)
    document["operation_date"] = operation_date.replace(microsecond=0).isoformat()
    if message.stage is Stage.RECONCILED:
        document["reconciled_date"] = arrived_at.replace(microsecond=0).isoformat()
    return json.dumps(document).encode()


def bare(exchanges: Sequence[Exchange], body: str) -> Callable[[], object]:
    """The same calls, and JSON of the same size."""
    dynamodb = client("dynamodb")
    calls = [(getattr(dynamodb, xform_name(each.operation)), each.parameters) for each in exchanges]
    document = json.loads(body) if body.startswith("{") else body

    def handle() -> dict[str, object]:
        for call, parameters in calls:
            call(**parameters)
        return {"statusCode": _OK, "body": json.dumps(document)}

    return handle


def repeated(handle: Callable[[], object], times: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(times):
            handle()

    return run


def _record(sizes: BatchSizes) -> list[tuple[Read, list[Exchange], str]]:
    found = []
    with world.environment(sizes, events.histories_of(1)):
        reads = reads_of(_count_events())
        for read in reads:
            with recorded() as exchanges:
                body = answer_to(event_of(read))["body"]
            found.append((read, exchanges, body))
    return found


def run(sizes: BatchSizes) -> Result:
    rows: list[Row] = []
    counted: dict[str, Counter[str]] = {}
    with function():
        for read, exchanges, body in _record(sizes):
            event = event_of(read)
            with answered(played_back(exchanges)):
                assert answer_to(event)["body"] == body
                begun = process_time()
                answer_to(event)
                requests = 1 + int(ROUND_S / (process_time() - begun))
                times = measure(
                    {
                        "ours": repeated(partial(answer_to, event), requests),
                        "bare": repeated(bare(exchanges, body), requests),
                    },
                    ROUNDS,
                )
            ours, beside = times["ours"].cpu_s, times["bare"].cpu_s
            ratio = median(own / other for own, other in zip(ours, beside, strict=True))
            counted[read.name] = Counter(each.operation for each in exchanges)
            rows.append(
                {
                    "read": read.name,
                    "calls": len(exchanges),
                    "which": _said(counted[read.name]),
                    "read_kb": round(sum(len(each.response) for each in exchanges) / 1024, 1),
                    "answer_kb": round(len(body) / 1024, 1),
                    "cpu_ms": round(1000 * median(ours) / requests, 2),
                    "bare_ms": round(1000 * median(beside) / requests, 2),
                    "ratio": round(ratio, 2),
                }
            )
    return _result(rows, counted)


def _result(rows: list[Row], counted: dict[str, Counter[str]]) -> Result:
    worst = max(rows, key=lambda row: float(row["ratio"]))
    return Result(
        name="api",
        title="Reads of the merchants' API: AWS calls, and CPU beside a bare handler",
        columns=(
            Column("read", "read"),
            Column("calls", "calls"),
            Column("which", "which"),
            Column("read_kb", "KB read", decimals=1),
            Column("answer_kb", "KB answered", decimals=1),
            Column("cpu_ms", "CPU ms", decimals=2),
            Column("bare_ms", "bare, ms", decimals=2),
            Column("ratio", "ratio", decimals=2),
        ),
        rows=rows,
        notes=(
            f"a merchant of {EVENTS} events in a month; {events.MIX}",
            "bare: the same calls with boto3, and json.dumps of the same answer",
            f"medians of {ROUNDS} rounds of about {ROUND_S} s each, in turn; ratios within a round",
        ),
        bounds=(
            Bound(
                "GET balances is one get and one query",
                counted["balances"] == {"GetItem": 1, "Query": 1},
                fails_the_run=True,
            ),
            Bound(
                f"CPU at most {RATIO_MAX} times the bare handler's (worst: {worst['read']}, "
                f"{worst['ratio']})",
                float(worst["ratio"]) <= RATIO_MAX,
                fails_the_run=False,
            ),
        ),
    )


def _said(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {operation}" for operation, count in sorted(counted.items()))
