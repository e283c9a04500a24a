"""Messages a second through a stack of its own on the embedded AWS, beside a bare loop of calls.

The bare loop makes, one after the other from one process, the calls that these messages need with
the same batch sizes: a claim and a PUT each, their shares of PutRecords and TransactWriteItems.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from bench.environment import BatchSizes, inherited
from bench.results import Bound, Column, Result, Row
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import LogObject, StreamEntry
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.target import Target, local_target
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.instants import quarter_of
from falcon_balances.domain.operations import PspOperation
from falcon_balances.domain.parts import ArrivedSegment, countable_parts
from falcon_balances.domain.splitting import split
from falcon_balances.domain.transactions import joined, transactions, writes_of
from generated import events

MESSAGES: Final = 500
MERCHANTS: Final = 100
ROUNDS: Final = 3
PER_S_MIN: Final = 30
_FALCON: Final = Path(sys.executable).with_name("falcon")
_COMMAND_TIMEOUT_S: Final = 300
_NAME: Final = "falcon-bench"


class Stack:
    """A stack in a folder of its own, through the executable."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def falcon(self, *arguments: str) -> str:
        done = subprocess.run(
            [_FALCON, *arguments],
            env=inherited(FALCON_HOME=str(self._home)),
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"falcon {arguments[0]}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    @property
    def target(self) -> Target:
        return local_target(Home(self._home))


@contextmanager
def stack_of_its_own() -> Iterator[tuple[Stack, Path]]:
    """Up, with all merchants loaded; down again in any case."""
    with TemporaryDirectory(prefix="falcon-bench-") as folder:
        stack = Stack(Path(folder) / "home")
        try:
            stack.falcon("local", "up", "--detach", "--port", str(_free_port()))
            merchants = Path(folder) / "merchants.jsonl"
            merchants.write_text(_lines(events.context_documents(MERCHANTS)))
            stack.falcon("merchants", "load", str(merchants))
            yield stack, Path(folder)
        finally:
            stack.falcon("local", "down")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lines(documents: Sequence[events.Document]) -> str:
    return "".join(json.dumps(document) + "\n" for document in documents)


def _send(stack: Stack, folder: Path, messages: Sequence[events.Message]) -> float:
    """Seconds from the first publishing until the last message is counted and the queue empty."""
    file = folder / "events.jsonl"
    file.write_bytes(b"".join(message.body + b"\n" for message in messages))
    answer: dict[str, Any] = json.loads(
        stack.falcon("psp", "send", "--stage", "confirmed", str(file), "--wait", "--json")
    )
    assert answer["counted"] == len(messages), answer
    return float(answer["seconds"])


class BareLoop:
    """The calls of the path and nothing else, on resources that nothing else reads."""

    def __init__(self, target: Target, sizes: BatchSizes) -> None:
        self._sizes = sizes
        self._create(target)
        dynamodb = target.client("dynamodb")
        self._claims = DynamoEventClaims(dynamodb, f"{_NAME}-claims")
        self._store = DynamoBalanceStore(dynamodb, f"{_NAME}-balances")
        self._log = S3TransactionLog(target.client("s3"), f"{_NAME}-log")
        self._stream = KinesisBalanceStream(target.client("kinesis"), _NAME)

    @staticmethod
    def _create(target: Target) -> None:
        keys = {"claims": ("falcon_operation_id", "stage"), "balances": ("pk", "sk")}
        for table, (partition, sort) in keys.items():
            target.client("dynamodb").create_table(
                TableName=f"{_NAME}-{table}",
                KeySchema=[
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": sort, "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in (partition, sort)
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        target.client("s3").create_bucket(
            Bucket=f"{_NAME}-log",
            ObjectLockEnabledForBucket=True,
            CreateBucketConfiguration={"LocationConstraint": target.region},
        )
        kinesis = target.client("kinesis")
        kinesis.create_stream(StreamName=_NAME, ShardCount=2)
        kinesis.get_waiter("stream_exists").wait(StreamName=_NAME)

    def run(self, messages: Sequence[events.Message]) -> float:
        """Seconds for the calls; what they carry is worked out before."""
        histories = events.histories_of(MERCHANTS)
        claims = [_claim(message, histories) for message in messages]
        records = [[SegmentRecordV1.of(each, part) for part in each.segments] for each in claims]
        window = quarter_of(events.SENT_AT)
        arrived = [
            ArrivedSegment(record.to_segment(), window, record.log_key, record.fingerprint)
            for parts in records
            for record in parts
        ]
        begun = perf_counter()
        size = self._sizes.queue_messages
        for start in range(0, len(claims), size):
            self._persist_and_publish(claims[start : start + size], records[start : start + size])
        for group in transactions(part for each in arrived for part in countable_parts(each)):
            assert not self._store.transact(writes_of(*joined(group, {})))
        return perf_counter() - begun

    def _persist_and_publish(
        self, claims: Sequence[ClaimV1], records: Sequence[Sequence[SegmentRecordV1]]
    ) -> None:
        for claim in claims:
            assert self._claims.claim(claim) is None
            for segment in claim.segments:
                logged = LogObject(claim.body_of(segment).encode(), claim.log_metadata(segment))
                assert self._log.append(segment.log_key, logged)
        assert not self._stream.publish(
            [
                StreamEntry(record.merchant_id, record.model_dump_json().encode())
                for parts in records
                for record in parts
            ]
        )


def _claim(message: events.Message, histories: events.Histories) -> ClaimV1:
    operation = parse_message(message.body, message.stage, mode="test", sent_at=events.SENT_AT)
    assert isinstance(operation, PspOperation)
    return ClaimV1.of(operation, events.RECEIVED_AT, split(operation, histories))


def run(sizes: BatchSizes) -> Result:
    whole_s: list[float] = []
    bare_s: list[float] = []
    with stack_of_its_own() as (stack, folder):
        bare = BareLoop(stack.target, sizes)
        _send(stack, folder, _messages(0)[:10])  # the functions' cold starts
        for turn in range(1, ROUNDS + 1):
            whole_s.append(_send(stack, folder, _messages(turn)))
            bare_s.append(bare.run(_messages(turn)))
    ratios = [whole / beside for whole, beside in zip(whole_s, bare_s, strict=True)]
    rows = [
        _row("falcon psp send --wait", whole_s, median(ratios)),
        _row("bare loop of the same calls", bare_s, 1.0),
    ]
    return Result(
        name="embedded",
        title="Messages per second on the embedded AWS",
        columns=(
            Column("path", "path"),
            Column("per_s", "messages/s (median)", decimals=1),
            Column("s", "seconds (median)", decimals=2),
            Column("ratio", "times the bare loop's time", decimals=2),
        ),
        rows=rows,
        notes=(
            f"{ROUNDS} rounds in turn of {MESSAGES} captures of {MERCHANTS} merchants",
            *_EXPLANATION,
        ),
        bounds=(
            Bound(
                f"at least {PER_S_MIN} messages/s",
                holds=MESSAGES / median(whole_s) >= PER_S_MIN,
                fails_the_run=False,
            ),
        ),
    )


_EXPLANATION: Final = (
    "The path begins with publishing and ends when all is counted and the queue is empty.",
    "What it does besides those calls, on the same cores and in the same emulator:",
    "- SNS takes each message and hands it to SQS; SQS gives ten at a time and deletes them;",
    "- per ten messages a dispatcher, an Express execution and three functions are invoked, and",
    "  each invocation carries the messages as JSON, under IAM checks;",
    "- the event source mappings poll: the queue, and every second the stream for the reducer;",
    "- the command that waits reads claims and marks meanwhile, every 0.3 s.",
    "Against that it works on several batches at a time, which the bare loop does not.",
)


def _messages(turn: int) -> list[events.Message]:
    return list(events.captures(MESSAGES, MERCHANTS, first=turn * MESSAGES))


def _row(path: str, seconds: Sequence[float], ratio: float) -> Row:
    return {
        "path": path,
        "per_s": round(MESSAGES / median(seconds), 1),
        "s": round(median(seconds), 2),
        "ratio": round(ratio, 2),
    }
