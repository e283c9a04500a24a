"""Messages a second through a stack of its own on the embedded AWS, beside a bare loop of calls.

The bare loop makes the calls that these messages need, one after the other from one process, with
the same batch sizes: a claim and a PUT each, and shares of PutRecords and TransactWriteItems.
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

from bench.environment import batch_sizes_of, inherited
from bench.results import Result, reported
from bench.timing import ratio
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import StreamEntry
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.target import Target, local_target
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.instants import quarter_of
from falcon_balances.domain.transactions import joined, transactions, writes_of
from generated import events
from inprocess.aws import create_bucket, create_table
from inprocess.pure import claim_of, parts_of, persist_claim, records_of

MESSAGES: Final = 500
MERCHANTS: Final = 100
ROUNDS: Final = 3
PER_S_MIN: Final = 30
_FALCON: Final = Path(sys.executable).with_name("falcon")
_COMMAND_TIMEOUT_S: Final = 300
_NAME: Final = "falcon-bench"
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


class Stack:
    """A stack in a folder of its own, run by the `falcon` executable."""

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
    """A running stack with all merchants loaded, which is stopped again in any case."""
    with TemporaryDirectory(prefix="falcon-bench-") as folder:
        stack = Stack(Path(folder) / "home")
        try:
            stack.falcon("local", "up", "--detach", "--port", str(_free_port()))
            merchants = Path(folder) / "merchants.jsonl"
            documents = events.context_documents(MERCHANTS)
            merchants.write_text("".join(f"{json.dumps(each)}\n" for each in documents))
            stack.falcon("merchants", "load", str(merchants))
            yield stack, Path(folder)
        finally:
            stack.falcon("local", "down")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _send(stack: Stack, folder: Path, messages: Sequence[events.Message]) -> float:
    """Seconds from the first publishing until all messages are counted and the queue is empty."""
    file = folder / "events.jsonl"
    file.write_bytes(b"".join(message.body + b"\n" for message in messages))
    answer: dict[str, Any] = json.loads(
        stack.falcon("psp", "send", "--stage", "confirmed", str(file), "--wait", "--json")
    )
    assert answer["counted"] == len(messages), answer
    return float(answer["seconds"])


class BareLoop:
    """The calls of the path and nothing else, on resources that nothing else reads."""

    def __init__(self, target: Target, batch: int) -> None:
        self._batch = batch
        dynamodb, s3, kinesis = (target.client(each) for each in ("dynamodb", "s3", "kinesis"))
        create_table(dynamodb, f"{_NAME}-claims", ("falcon_operation_id", "stage"), {})
        create_table(dynamodb, f"{_NAME}-balances", ("pk", "sk"), {})
        create_bucket(s3, f"{_NAME}-log", target.region)
        kinesis.create_stream(StreamName=_NAME, ShardCount=2)
        kinesis.get_waiter("stream_exists").wait(StreamName=_NAME)
        self._claims = DynamoEventClaims(dynamodb, f"{_NAME}-claims")
        self._store = DynamoBalanceStore(dynamodb, f"{_NAME}-balances")
        self._log = S3TransactionLog(s3, f"{_NAME}-log")
        self._stream = KinesisBalanceStream(kinesis, _NAME)

    def run(self, messages: Sequence[events.Message]) -> float:
        """Seconds for the calls; their contents are computed before."""
        histories = events.histories_of(MERCHANTS)
        operations = [
            parse_message(each.body, each.stage, mode="test", sent_at=events.SENT_AT)
            for each in messages
        ]
        claims = [claim_of(each, events.RECEIVED_AT, histories) for each in operations]
        records = [records_of(claim) for claim in claims]
        parts = list(
            parts_of([data for some in records for data in some], quarter_of(events.SENT_AT))
        )
        begun = perf_counter()
        for start in range(0, len(claims), self._batch):
            entries = []
            for claim, some in list(zip(claims, records, strict=True))[start : start + self._batch]:
                persist_claim(claim, self._claims, self._log)
                merchants = [segment.merchant_id for segment in claim.segments]
                entries += [StreamEntry(*each) for each in zip(merchants, some, strict=True)]
            assert not self._stream.publish(entries)
        for group in transactions(parts):
            assert not self._store.transact(writes_of(*joined(group, {})))
        return perf_counter() - begun


def run() -> list[Result]:
    whole_s: list[float] = []
    bare_s: list[float] = []
    with stack_of_its_own() as (stack, folder):
        bare = BareLoop(stack.target, batch_sizes_of("local").queue_messages)
        _send(stack, folder, _messages(0)[:10])  # the functions' cold starts
        for turn in range(1, ROUNDS + 1):
            whole_s.append(_send(stack, folder, _messages(turn)))
            bare_s.append(bare.run(_messages(turn)))
    per_s = MESSAGES / median(whole_s)
    return [
        Result(
            name="embedded",
            title="Messages per second on the embedded AWS",
            columns={
                "path": "path",
                "per_s": ("messages/s (median)", 1),
                "s": ("seconds (median)", 2),
                "ratio": ("times the bare loop's time", 2),
            },
            rows=[
                {
                    "path": path,
                    "per_s": round(MESSAGES / median(seconds), 1),
                    "s": round(median(seconds), 2),
                    "ratio": ratio(seconds, bare_s),
                }
                for path, seconds in (
                    ("falcon psp send --wait", whole_s),
                    ("bare loop of the same calls", bare_s),
                )
            ],
            notes=(
                f"{ROUNDS} rounds in turn of {MESSAGES} captures of {MERCHANTS} merchants",
                *_EXPLANATION,
            ),
            bounds=(reported(f"at least {PER_S_MIN} messages/s", holds=per_s >= PER_S_MIN),),
        )
    ]


def _messages(turn: int) -> list[events.Message]:
    return list(events.captures(MESSAGES, MERCHANTS, first=turn * MESSAGES))
