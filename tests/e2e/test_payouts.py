"""Everything of every merchant of `olist` is paid out, each request twice, and more is refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from falcon_balances.cli.target import Target
from tests.e2e import observed
from tests.e2e.conftest import LocalStack

DATA = Path(__file__).parents[2].parent / "shared/data/olist"
OUTCOMES = "outcomes"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not beside this checkout"),
]
Balance = dict[str, Any]


@dataclass(frozen=True)
class PaidOut:
    stack: LocalStack
    before: list[Balance]
    outcomes_url: str

    @property
    def target(self) -> Target:
        return self.stack.target

    @property
    def payable(self) -> list[Balance]:
        return [each for each in self.before if Decimal(each["available"]) > 0]


def balances(stack: LocalStack) -> list[Balance]:
    done = stack.falcon("balance", "--all", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def send(stack: LocalStack, stage: str, file: Path) -> dict[str, Any]:
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


@pytest.fixture(scope="module")
def paid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("payouts")
    stack = LocalStack(folder / "home")
    try:
        stack.up()
        loaded = stack.falcon("merchants", "load", str(DATA / "merchants.jsonl"))
        assert loaded.returncode == 0, loaded.stderr
        for stage in ("confirmed", "reconciled"):
            send(stack, stage, DATA / f"{stage}.jsonl")
        run = PaidOut(stack, balances(stack), listen(stack.target))
        requests = [
            request(each, f"all-{n}", each["available"]) for n, each in enumerate(run.payable)
        ]
        file = folder / "payout.jsonl"
        file.write_text("\n".join(json.dumps(each) for each in [*requests, *requests]) + "\n")
        answer = send(stack, "payout", file)
        assert (answer["counted"], answer["refused"]) == (2 * len(requests), 0)
        assert (answer["quarantined"], answer["pending"]) == (0, 0)
        yield run
    finally:
        stack.down()


@pytest.fixture(scope="module")
def outcomes(paid):
    observed.drain(paid.target)
    return list(heard(paid.target, paid.outcomes_url))


def test_what_was_available_is_withdrawn_once_and_nothing_is_left_of_it(paid):
    after = {(each["merchant_id"], each["balance_shop_id"]): each for each in balances(paid.stack)}
    assert len(after) == len(paid.before)
    assert paid.payable
    for before in paid.before:
        each = after[before["merchant_id"], before["balance_shop_id"]]
        was = Decimal(before["available"])
        assert Decimal(each["withdrawn"]) == max(was, 0)
        assert Decimal(each["available"]) == min(was, 0)
        assert Decimal(each["blocked"]) == 0


def test_log_balances_and_outcomes_agree_to_the_cent(paid, outcomes):
    logged = {}
    for key, found in observed.log_objects(paid.target, "payout/").items():
        (line,) = found.body.decode().splitlines()[1:]
        _, payout_id, amount, *_ = line.split(",")
        logged[payout_id] = (key.split("/")[1].removeprefix("merchant_id="), Decimal(amount))
    said = {each["payout_id"]: (each["merchant_id"], -Decimal(each["amount"])) for each in outcomes}
    was = {
        f"all-{n}": (each["merchant_id"], -Decimal(each["available"]))
        for n, each in enumerate(paid.payable)
    }
    assert logged == said == was
    assert {each["outcome"] for each in outcomes} == {"accepted"}
    assert len({each["outcome_id"] for each in outcomes}) == len(was)


def test_requests_beyond_it_are_refused_with_what_there_is(paid, outcomes, tmp_path):
    log = observed.log_objects(paid.target)
    short = balances(paid.stack)
    file = tmp_path / "more.jsonl"
    requests = [request(each, f"more-{n}", "0.01") for n, each in enumerate(short)]
    file.write_text("\n".join(json.dumps(each) for each in [*requests, *requests]) + "\n")
    answer = send(paid.stack, "payout", file)
    assert (answer["counted"], answer["refused"]) == (0, 2 * len(requests))
    assert observed.log_objects(paid.target) == log
    observed.drain(paid.target)
    said = {
        each["payout_id"]: (each["outcome"], each["amount"], each["available"])
        for each in heard(paid.target, paid.outcomes_url)
        if each["payout_id"].startswith("more-")
    }
    assert said == {
        f"more-{n}": ("refused", None, each["available"]) for n, each in enumerate(short)
    }
    assert outcomes
    assert [without_time(each) for each in balances(paid.stack)] == [
        without_time(each) for each in short
    ]


def without_time(balance: Balance) -> Balance:
    return {name: value for name, value in balance.items() if name != "as_of"}
