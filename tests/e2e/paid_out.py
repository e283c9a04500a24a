"""The orders of `olist`, counted in three months and now, and everything that is there paid out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.clock import utc_now
from falcon_balances.cli.target import Target
from falcon_balances.domain.instants import QUARTER, quarter_of
from tests.e2e import observed, past
from tests.e2e.events import FOR_EVER

if TYPE_CHECKING:
    from tests.e2e.local_stack import LocalStack

DATA = Path(__file__).parents[2].parent / "shared/data/olist"
OUTCOMES = "outcomes"
Balance = dict[str, Any]


@dataclass(frozen=True)
class PaidOut:
    stack: "LocalStack"
    before: list[Balance]
    outcomes_url: str

    @property
    def target(self) -> Target:
        return self.stack.target

    @property
    def payable(self) -> list[Balance]:
        return [each for each in self.before if Decimal(each["available"]) > 0]


def balances(stack: "LocalStack") -> list[Balance]:
    done = stack.falcon("balance", "--all", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def send(stack: "LocalStack", stage: str, file: Path) -> dict[str, Any]:
    done = stack.falcon("psp", "send", "--stage", stage, "--wait", "--json", str(file))
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def request(balance: Balance, payout_id: str, amount: str) -> dict[str, Any]:
    names = ("merchant_id", "balance_shop_id", "currency")
    return {
        "schema_version": "1",
        "payout_id": payout_id,
        **{name: balance[name] for name in names},
        "amount": amount,
        "requested_at": "2026-11-20T10:00:00Z",
        "valid_until": FOR_EVER,
    }


def listen(target: Target) -> str:
    """A queue behind the outcome topic, as a payout system would have it."""
    sqs = target.client("sqs")
    anyone = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anyone]})
    url: str = sqs.create_queue(QueueName=OUTCOMES, Attributes={"Policy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    topic = target.topic("payout").rpartition(":")[0]
    target.client("sns").subscribe(
        TopicArn=f"{topic}:falcon-balances-local-payout-outcome-{target.region}",
        Protocol="sqs",
        Endpoint=arn["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    return url


def heard(target: Target, url: str) -> Iterator[dict[str, Any]]:
    """All outcomes that were announced; each is there at least once, none is taken away."""
    sqs = target.client("sqs")
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600
    ).get("Messages"):
        yield from (json.loads(message["Body"]) for message in messages)


def months_before(now: datetime) -> tuple[datetime, datetime, datetime]:
    """The beginnings of the month before the last one, of the last one, and of this one; UTC."""
    this = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = (this - timedelta(days=1)).replace(day=1)
    return (last - timedelta(days=1)).replace(day=1), last, this


def arrival(segment: Mapping[str, Any], now: datetime) -> datetime | None:
    """By its fingerprint: at the borders of months and within them, today, or, one in five, now."""
    first, last, this = months_before(now)
    number = int(segment["fingerprint"][:8], 16)
    if number % 5 == 0:
        return None
    begins = (first, first + timedelta(days=9), last - QUARTER, last, this - QUARTER)
    quarters = [*begins, max(this, quarter_of(now) - 8 * QUARTER)]
    return quarters[number % len(quarters)]


def bring_orders(target: Target) -> None:
    """All of them on the stream; most of them counted as having arrived earlier."""
    now = utc_now()
    with past.held_reducer(target):
        for stage in ("confirmed", "reconciled"):
            first, *rest = (DATA / f"{stage}.jsonl").read_text("utf-8").splitlines()
            for texts in ([first], rest):  # the first waits for the functions to start
                observed.send(target, stage, texts)
                observed.wait_until(lambda: observed.in_flight(target) == 0, 120, stage)
        past.count_earlier(target, lambda segment: arrival(segment, now))
    observed.drain(target)


def pay_out(stack: "LocalStack", folder: Path) -> PaidOut:
    """Each request is sent twice."""
    stack.up()
    loaded = stack.falcon("merchants", "load", str(DATA / "merchants.jsonl"))
    assert loaded.returncode == 0, loaded.stderr
    bring_orders(stack.target)
    run = PaidOut(stack, balances(stack), listen(stack.target))
    requests = [request(each, f"all-{n}", each["available"]) for n, each in enumerate(run.payable)]
    file = folder / "payout.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in [*requests, *requests]) + "\n")
    answer = send(stack, "payout", file)
    assert (answer["counted"], answer["refused"]) == (2 * len(requests), 0)
    assert (answer["quarantined"], answer["pending"]) == (0, 0)
    return run
