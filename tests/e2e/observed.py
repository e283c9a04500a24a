"""What stands in the embedded AWS: read with the root key, past the product's own readers."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.event_topic import publish
from falcon_balances.cli.target import Target
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.money import Currency

CUTTER = "falcon-balances-local-cutter"
EUR = Currency("EUR", 2)
_POLL_S = 0.2
_CONCURRENT = 16


def journal_bucket(target: Target) -> str:
    """It is named like the log's: no command reads it, so no output of the stack names it."""
    return target.log_bucket.replace("-log-", "-journal-")


def wait_until(condition: Callable[[], Any], timeout_s: float = 60.0, what: str = "") -> Any:
    """The first truthy answer; fails at the deadline, naming what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what or condition}"
        time.sleep(_POLL_S)
    return answer


@dataclass(frozen=True)
class LoggedObject:
    """The only version of a key; `version` and `written` tell a rewrite with the same bytes."""

    body: bytes
    metadata: Mapping[str, str]
    version: str = ""
    written: str = ""

    @property
    def sha256(self) -> str:
        return sha256(self.body).hexdigest()

    @property
    def content(self) -> "LoggedObject":
        """What must be the same on every machine."""
        return replace(self, version="", written="")


def log_objects(target: Target, prefix: str = "") -> dict[str, LoggedObject]:
    """Every object of the log; fails on a second version of a key and on a delete marker."""
    s3 = target.client("s3")
    versions: dict[str, Any] = {}
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=target.log_bucket, Prefix=prefix
    ):
        assert not page.get("DeleteMarkers")
        for version in page.get("Versions", []):
            assert version["Key"] not in versions, f"two versions of {version['Key']}"
            versions[version["Key"]] = version

    def read(key: str) -> LoggedObject:
        answer = s3.get_object(Bucket=target.log_bucket, Key=key)
        written = versions[key]["LastModified"].isoformat()
        return LoggedObject(
            answer["Body"].read(), answer["Metadata"], versions[key]["VersionId"], written
        )

    with ThreadPoolExecutor(_CONCURRENT) as pool:
        return dict(zip(versions, pool.map(read, versions), strict=True))


def contents(objects: Mapping[str, LoggedObject]) -> dict[str, LoggedObject]:
    return {key: logged.content for key, logged in objects.items()}


@dataclass(frozen=True)
class Refused:
    key: str
    body: bytes
    code: str
    reason: str


def quarantined(target: Target, source: str = "") -> list[Refused]:
    """Every refusal of a stage or of the stream, by key; of everything without a source."""
    s3 = target.client("s3")
    found = []
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=target.quarantine_bucket, Prefix=source and f"{source}/"
    ):
        for version in page.get("Versions", []):
            key, number = version["Key"], version["VersionId"]
            answer = s3.get_object(Bucket=target.quarantine_bucket, Key=key, VersionId=number)
            said = answer["Metadata"]
            found.append(Refused(key, answer["Body"].read(), said["code"], said["reason"]))
    return found


def items(target: Target, table: str) -> list[dict[str, Any]]:
    pages = (
        target.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=table, ConsistentRead=True)
    )
    return [item for page in pages for item in page["Items"]]


def claims(target: Target) -> set[tuple[str, str]]:
    """(falcon_operation_id, stage) of every claim."""
    return {
        (item["falcon_operation_id"]["S"], item["stage"]["S"])
        for item in items(target, target.claims_table)
    }


def marks(target: Target) -> set[tuple[str, str]]:
    """(merchant_id, `{falcon_operation_id}#{stage}`) of every segment that is counted."""
    return {
        (item["pk"]["S"].removeprefix("MERCHANT#"), item["sk"]["S"].removeprefix("OPERATION#"))
        for item in items(target, target.balances_table)
        if item["sk"]["S"].startswith("OPERATION#")
    }


def stream_records(target: Target) -> list[bytes]:
    """Everything on the stream, shard after shard, cuts included."""
    kinesis = target.client("kinesis")
    shards = kinesis.list_shards(StreamName=target.stream)["Shards"]
    return [data for shard in shards for data in _records_of(target, shard["ShardId"])]


def _records_of(target: Target, shard_id: str) -> Iterator[bytes]:
    kinesis = target.client("kinesis")
    iterator = kinesis.get_shard_iterator(
        StreamName=target.stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while True:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
        if not answer["Records"]:
            return
        yield from (record["Data"] for record in answer["Records"])
        iterator = answer["NextShardIterator"]


def segments_on_stream(target: Target) -> list[dict[str, Any]]:
    """The records that are JSON objects of the kind `segment`."""
    found = []
    for data in stream_records(target):
        try:
            record = json.loads(data)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and record.get("kind") == "segment":
            found.append(record)
    return found


def in_queue(target: Target, url: str) -> int:
    """Messages of a queue, waiting or being worked on."""
    counts = target.client("sqs").get_queue_attributes(
        QueueUrl=url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )["Attributes"]
    return sum(map(int, counts.values()))


def in_flight(target: Target) -> int:
    """Messages that are not acknowledged yet, dead letters included."""
    return sum(
        in_queue(target, url)
        for queue in target.queues.values()
        for url in (queue.url, queue.dlq_url)
    )


def send(target: Target, stage: str, texts: list[str]) -> None:
    """Publish without a look at the texts; `falcon psp send` without the start of a process."""
    publish(target.client("sns"), target.topic(stage), texts, lambda _count: None)


def cut(target: Target) -> None:
    """Put a cut into every shard now, as the schedule does every minute."""
    answer = target.client("lambda").invoke(FunctionName=CUTTER, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def stop_the_schedule(target: Target) -> None:
    """No more cuts but those that a test asks for."""
    scheduler = target.client("scheduler")
    schedule = scheduler.get_schedule(Name="falcon-balances-local-cuts")
    names = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(State="DISABLED", **{name: schedule[name] for name in names})


def as_of(target: Target) -> datetime | None:
    key = {"pk": {"S": "STREAM"}, "sk": {"S": "AS_OF"}}
    answer = target.client("dynamodb").get_item(
        TableName=target.balances_table, Key=key, ConsistentRead=True
    )
    return parse_rfc3339(answer["Item"]["as_of"]["S"]) if "Item" in answer else None


def drain(target: Target, timeout_s: float = 90.0) -> datetime:
    """Until every message is acknowledged and a cut taken after that is met; the cut's time.

    It trusts the product's own promise: everything that reached the stream before `as_of` is in
    the balances. Where that is a lie, what the test compares next differs.
    """
    wait_until(lambda: in_flight(target) == 0, timeout_s, "queues empty")
    return pass_a_cut(target, timeout_s)


def pass_a_cut(target: Target, timeout_s: float = 30.0) -> datetime:
    """A cut's time is cut to the second: the first that is certainly after now is the next one."""
    after = utc_now().replace(microsecond=0) + timedelta(seconds=1)
    time.sleep(max(0.0, (after - utc_now()).total_seconds()))
    cut(target)
    met: datetime = wait_until(
        lambda: (now := as_of(target)) is not None and now >= after and now,
        timeout_s,
        f"as_of at {after:%H:%M:%S} or later",
    )
    return met


def ask(target: Target, path: str, token: str | None = None) -> tuple[int, str, Any]:
    """Status, content type and JSON body of the API's answer to a GET."""
    address = urlsplit(target.api_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", f"{address.path}/v1/{path}", headers=headers)
        answer = connection.getresponse()
        content_type = (answer.getheader("Content-Type") or "").partition(";")[0]
        return answer.status, content_type, json.loads(answer.read())
    finally:
        connection.close()


def refusal(target: Target, path: str, token: str | None = None) -> tuple[int, str, Any]:
    """As `ask`, without what is the request's own: what is refused alike is equal."""
    status, content_type, document = ask(target, path, token)
    assert status >= 400, document
    return status, content_type, {k: v for k, v in document.items() if k != "request_id"}
