"""The merchants' API: AWS calls of each read, and its CPU beside a bare handler's.

The bare handler makes the same calls to DynamoDB with boto3 and dumps JSON of the same size. It
knows no routes, checks nothing and adds nothing up. Both use the same client and recorded answers.
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
from bench.environment import batch_sizes_of
from bench.results import Bound, Result, Row, reported
from bench.timing import measure, ratio
from bench.wire import Exchange, answered, played_back, recorded
from bench.world import spelled
from falcon_balances.adapters.aws import client
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.domain.operations import Stage
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import BalanceApiSettings
from generated import events
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE, LOG_BUCKET, AwsPlaces
from inprocess.functions import Functions
from inprocess.gateway import authorized, request_of
from inprocess.pure import claim_of, records_of
from lambdas.balance_api import handler

EVENTS: Final = 400
ROUNDS: Final = 9
ROUND_S: Final = 0.2  # approximate CPU time of our half of a round
RATIO_MAX: Final = 2
MERCHANT: Final = events.merchant_id(0)
BALANCE_SHOP: Final = events.balance_shop_id(0)
MONTH: Final = "2026-03"
CURSOR_SEAL: Final = b"0000-of-the-bench-0000-0000-0000"
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
    """A request; `path` is relative to the merchant's address."""

    name: str
    path: str
    query: str = ""


def reads_of(falcon_operation_id: str) -> tuple[Read, ...]:
    """A read for each route and code path; none with `source=log`, which reads S3 without bound."""
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
    """The gateway's event for a read, with the claims of a verified token."""
    path = f"/v1/merchants/{MERCHANT}{read.path}"
    request = request_of("GET", path, read.query, accept="application/json")
    claims = {"custom:merchant_id": MERCHANT, "token_use": "id"}
    return authorized(request, {"jwt": {"claims": claims}})


def answer_to(event: dict[str, Any]) -> dict[str, Any]:
    answer = handler.lambda_handler(event, _CONTEXT)
    assert answer["statusCode"] == _OK, answer
    return answer


@contextmanager
def function() -> Iterator[None]:
    """The function as deployed, at a fixed time: it logs one line for each request."""
    settings = BalanceApiSettings(
        balances_table=BALANCES_TABLE,
        claims_table=CLAIMS_TABLE,
        log_bucket=LOG_BUCKET,
        log_objects_max=1_000,
        cursor_seal=CURSOR_SEAL.decode(),
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
    """Counts events spread over a closed month. Returns the id of an operation in both stages."""
    places = AwsPlaces()
    histories = events.histories_of(1)
    records, reconciled = [], ""
    for n, message in enumerate(events.mixed(EVENTS, merchants=1)):
        arrived_at = _BEGINNING + (n + 1) * _BETWEEN_EVENTS
        body = _dated(message, arrived_at)
        operation = parse_message(body, message.stage, mode="test", sent_at=arrived_at)
        claim = claim_of(operation, rfc3339(arrived_at.replace(microsecond=0)), histories)
        assert places.claims.claim(claim) is None
        records += [(data, arrived_at) for data in records_of(claim)]
        if message.stage is Stage.RECONCILED:
            reconciled = claim.falcon_operation_id
    Functions(places, lambda: NOW).reduce(_SHARD, records)
    metrics.clear_metrics()
    for minutes in reversed(range(CUTS)):
        cut = Cut(AS_OF - timedelta(minutes=minutes), (_SHARD,))
        places.store.meet_cut(cut, _SHARD, BEGINNING)
        places.store.advance_as_of(cut.cut_at)
        places.store.complete_cut(cut.cut_at, cut.cut_at + timedelta(seconds=2))
    return reconciled


def _dated(message: events.Message, arrived_at: datetime) -> bytes:
    """The event, dated an hour before arrival; a reconciled one has the date of its operation."""
    document = json.loads(message.body)
    n = int(document["external_reference"].split("-")[1])
    operation_date = _BEGINNING + (n + 1) * _BETWEEN_EVENTS - timedelta(hours=1)
    document["operation_date"] = operation_date.replace(microsecond=0).isoformat()
    if message.stage is Stage.RECONCILED:
        document["reconciled_date"] = arrived_at.replace(microsecond=0).isoformat()
    return json.dumps(document).encode()


def bare(exchanges: Sequence[Exchange], body: str) -> Callable[[], object]:
    """A handler that makes the calls of `exchanges` and dumps `body`."""
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


def _record() -> list[tuple[Read, list[Exchange], str]]:
    found = []
    with world.environment(batch_sizes_of("live").shards, events.histories_of(1)):
        reads = reads_of(_count_events())
        for read in reads:
            with recorded() as exchanges:
                body = answer_to(event_of(read))["body"]
            found.append((read, exchanges, body))
    return found


def _row(read: Read, exchanges: Sequence[Exchange], body: str) -> Row:
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
    return {
        "read": read.name,
        "calls": len(exchanges),
        "which": spelled(Counter(each.operation for each in exchanges)),
        "read_kb": round(sum(len(each.response) for each in exchanges) / 1024, 1),
        "answer_kb": round(len(body) / 1024, 1),
        "cpu_ms": round(1000 * median(ours) / requests, 2),
        "bare_ms": round(1000 * median(beside) / requests, 2),
        "ratio": ratio(ours, beside),
    }


def run() -> list[Result]:
    with function():
        rows = [_row(*each) for each in _record()]
    worst = max(rows, key=lambda row: float(row["ratio"]))
    which = {row["read"]: row["which"] for row in rows}
    return [
        Result(
            name="api",
            title="Reads of the merchants' API: AWS calls, and CPU beside a bare handler",
            columns={
                "read": "read",
                "calls": "calls",
                "which": "which",
                "read_kb": ("KB read", 1),
                "answer_kb": ("KB answered", 1),
                "cpu_ms": ("CPU ms", 2),
                "bare_ms": ("bare, ms", 2),
                "ratio": ("ratio", 2),
            },
            rows=rows,
            notes=(
                f"a merchant of {EVENTS} events in a month; {events.MIX}",
                "bare: the same calls with boto3, and json.dumps of the same answer",
                f"medians of {ROUNDS} rounds of about {ROUND_S} s each, in turn",
            ),
            bounds=(
                Bound(
                    "GET balances is one get and one query",
                    which["balances"] == "1 GetItem, 1 Query",
                ),
                reported(
                    f"CPU at most {RATIO_MAX} times the bare handler's (worst: {worst['read']}, "
                    f"{worst['ratio']})",
                    holds=float(worst["ratio"]) <= RATIO_MAX,
                ),
            ),
        )
    ]
