"""Takes each grant out of the template, one at a time, and shows that an end-to-end run notices.

    python -m tests.e2e.try_grants

The embedded AWS enforces IAM, so a role that may too little fails here as it would on AWS. The
grants that it cannot judge are listed, and asserted on the template by tests/infra. Exit code 0
when the run succeeds with the whole template and fails with each of the others: because a function
was denied something, as its log says, and not because the machine was slow.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.cli import api
from falcon_balances.cli.embedded import assembly, process, stack
from falcon_balances.cli.embedded.assembly import StackArtifact
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.embedded.process import RootKey
from falcon_balances.cli.target import Target
from falcon_balances.cli.token import merchant_token
from falcon_balances.domain.blocks import BlockStatus, manual_block_id
from falcon_balances.domain.merchant_context import merchants_of
from tests.builders import confirmed, context_of, raw, reconciled, shop
from tests.e2e import observed
from tests.e2e.conftest import free_port

REGION = "eu-central-1"
# What the emulator reads or calls by itself, with nobody's rights; and what only a failure needs.
NOT_JUDGED = {
    "sqs:ReceiveMessage": "event source mapping",
    "sqs:DeleteMessage": "event source mapping",
    "sqs:GetQueueAttributes": "event source mapping",
    "kinesis:DescribeStream": "event source mapping",
    "kinesis:DescribeStreamSummary": "event source mapping",
    "kinesis:GetRecords": "event source mapping",
    "kinesis:GetShardIterator": "event source mapping",
    "lambda:InvokeFunction": "state machine, scheduler, API",
    # A topic without a policy of its own has AWS's default one, which lets its account publish.
    "sns:Publish": "the topic's default policy; test and live have one that only denies",
    # AWS judges the batch call by this action; the emulator by the call's name, which AWS does
    # not know as an action. So it denies the call, and messages come back a little later.
    "sqs:ChangeMessageVisibility": "batch call, judged by another name",
}
# How SNS reaches the queue is denied to no function, so no log tells of it.
DENIED_SILENTLY = {"sqs:SendMessage"}
PATIENCE = 3  # times as long as the run with the whole template took
PATIENCE_MIN_S = 8.0
PATIENCE_ONCE_DENIED_S = 3.0
AT_ONCE = 2  # stacks: they wait more than they work
POLL_S = 0.3
LOGS_POLL_S = 1.5  # reading fifteen logs is most of a poll's work

FUNCTIONS = (
    *("confirmed-dispatcher", "reconciled-dispatcher", "splitter", "persister", "publisher"),
    *("reducer", "cutter", "balance-api", "systems-api", "expirer"),
    *("payout-dispatcher", "payout-decider", "payout-logger", "payout-announcer"),
    "adjustment-dispatcher",
)
MERCHANT = context_of().merchant_id
RISKY = context_of("risky", risk="high")
DATE = "2026-11-20T10:30:00Z"
SYSTEMS_ASKED = 9
REFUND = raw(confirmed(external_reference="back", type="refund", amount="1.00"))
REFUSED = Counter(confirmed=2, reconciled=1, stream=1, payout=1, adjustment=1)
API_PATH = f"merchants/{context_of().merchant_id}/balances"


@dataclass(frozen=True, order=True)
class Grant:
    """An action of a role, or of a policy that a resource has itself."""

    role: str
    action: str

    @property
    def not_judged(self) -> str | None:
        if self.action.startswith("logs:"):
            return "log delivery"
        if "Undelivered" in self.role:
            return "what SNS could not deliver for 23 days"
        return NOT_JUDGED.get(self.action)


def grants_of(stacks: list[StackArtifact]) -> list[Grant]:
    found = {
        Grant(role, action)
        for each in stacks
        for role, statement in statements(json.loads(each.template.read_text()))
        for action in actions(statement)
    }
    return sorted(found)


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of everything that allows: roles, the queues' policies, and permissions of functions."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Permission":
            yield name, properties
        elif resource["Type"] in {"AWS::IAM::Role", "AWS::SQS::QueuePolicy"}:
            for policy in properties.get("Policies", [properties]):
                for statement in policy.get("PolicyDocument", {}).get("Statement", []):
                    yield name, statement


def actions(statement: dict[str, Any]) -> list[str]:
    said = statement["Action"]
    return [said] if isinstance(said, str) else list(said)


def without(grant: Grant, stacks: list[StackArtifact], folder: Path) -> list[StackArtifact]:
    """The same stacks, with the one action replaced by one that nobody asks for."""
    changed = []
    for each in stacks:
        template = json.loads(each.template.read_text())
        for role, statement in statements(template):
            if role == grant.role and grant.action in actions(statement):
                kept = [action for action in actions(statement) if action != grant.action]
                statement["Action"] = kept or ["sts:GetCallerIdentity"]
        path = folder / each.template.name
        path.write_text(json.dumps(template))
        changed.append(replace(each, template=path))
    return changed


@contextmanager
def deployed(stacks: list[StackArtifact]) -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as folder:
        home, key = Home(Path(folder)), RootKey.generate()
        home.create()
        emulator = process.start(home, free_port(), key, REGION)
        try:
            yield stack._deploy(stacks, emulator, key, REGION)
        finally:
            stack.take_down(home)


class Run:
    """Every path that needs a grant: good, repeated, unknown and broken messages in all stages,
    a record that is not ours, a cut, a merchant who asks, and systems that set money aside."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.answers: dict[str, int] = {}
        self._is_spending = False
        self.token = merchant_token(target, context_of().merchant_id)

    def begin(self) -> None:
        directory = DynamoMerchantDirectory(
            self.target.client("dynamodb"), self.target.context_table
        )
        contexts = [context_of(), RISKY]
        for context in contexts:
            assert directory.replace(context.key, (), [context])
        for merchant_id, merchant in merchants_of(contexts).items():
            directory.name_merchant(merchant_id, merchant)
        good = raw(confirmed(external_reference="good"))
        self._send("confirmed", good, b"broken", raw(confirmed(local_merchant_id="nobody")))
        self._send("confirmed", good, raw(confirmed(external_reference="other")))
        self._send("reconciled", raw(reconciled(external_reference="good")), b"broken")
        risky = {"external_reference": "risky", **shop("risky")}
        self._send("reconciled", raw(reconciled(**risky)))
        self.target.client("kinesis").put_record(
            StreamName=self.target.stream, Data=b"not ours", PartitionKey="x"
        )
        self._cut()

    def _send(self, stage: str, *bodies: bytes) -> None:
        for body in bodies:
            self.target.client("sns").publish(
                TopicArn=self.target.topic(stage), Message=body.decode()
            )

    def _spend(self) -> None:
        """When there is money: a payout, again, its return, too much, and of the risky merchant."""
        self._is_spending = True
        paid = payout("paid", "10.00")
        self._send("payout", paid, payout("too-much", "1000.00"), b"broken")
        self._send("payout", payout("risky", "10.00", "risky"))
        self._send("adjustment", adjustment("1.00"), b"broken")
        self._send("confirmed", REFUND)
        self._send("payout", paid, returned("paid", "10.00"))

    def _ask_systems(self) -> None:
        """Each until it is answered well: a key decides once, so asking again does no harm."""
        own, risky = self._ask, f"merchants/{RISKY.merchant_id}/blocks"
        own("balances", "GET", f"{API_PATH}")
        own("block", "POST", f"merchants/{MERCHANT}/blocks", block("1.00"))
        own("expiring", "POST", f"merchants/{MERCHANT}/blocks", block("1.00", expires_in_seconds=1))
        own("too much", "POST", f"merchants/{MERCHANT}/blocks", block("1000.00"), wanted={409})
        own("risky", "POST", risky, block("1.00", "risky"))
        refund = {"psp_id": RISKY.key.psp_id, "external_reference": "refund", **shop("risky")}
        authorizations = f"merchants/{RISKY.merchant_id}/refund-authorizations"
        own("refund", "POST", authorizations, {**refund, "amount": "1.00", "currency": "EUR"})
        block_id = manual_block_id(MERCHANT, "block")
        own("shown", "GET", f"merchants/{MERCHANT}/blocks/{block_id}")
        own("listed", "GET", f"merchants/{MERCHANT}/blocks")
        own("released", "POST", f"merchants/{MERCHANT}/blocks/{block_id}/release")
        self.target.client("lambda").invoke(FunctionName="falcon-balances-local-expirer")

    def _ask(
        self,
        name: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        wanted: Collection[int] = (200, 201),
    ) -> None:
        if self.answers.get(name) in wanted:
            return
        headers = {"Idempotency-Key": name.replace(" ", "-")}
        answer = api.call(self.target, method, f"systems/{path}", body=body, headers=headers)
        self.answers[name] = answer.status

    def _unanswered(self) -> list[str]:
        return [
            name
            for name, status in self.answers.items()
            if status not in {HTTPStatus.OK, HTTPStatus.CREATED}
            and (name, status) != ("too much", HTTPStatus.CONFLICT)
        ]

    def _cut(self) -> None:
        self.target.client("lambda").invoke(FunctionName="falcon-balances-local-cutter")

    def missing(self) -> list[str]:
        """What did not come about yet."""
        store = DynamoBalanceStore(self.target.client("dynamodb"), self.target.balances_table)
        balance = next(iter(store.balances(MERCHANT)), None)
        risky = next(iter(store.balances(RISKY.merchant_id)), None)
        if balance and risky and balance.available > 0 and risky.available > 0:
            if not self._is_spending:
                self._spend()
                return ["spending"]
            self._ask_systems()
        blocks = {block.reference: block.status for block in store.blocks_of(MERCHANT)}
        refused = [each.key.split("/")[0] for each in observed.quarantined(self.target)]
        queues = self.target.queues.values()
        checks = {
            "confirmed": balance is not None and balance.confirmed == 2 * balance.reconciled - 100,
            "refused": Counter(refused) == REFUSED,
            "payouts": risky is not None and risky.withdrawn > 0 and "paid" in blocks,
            "returned": balance is not None and balance.withdrawn == 0,
            "adjusted": balance is not None and balance.adjusted > 0,
            "systems": len(self.answers) == SYSTEMS_ASKED and not self._unanswered(),
            "expired": blocks.get("expiring") == BlockStatus.EXPIRED,
            "queues": not any(observed.in_queue(self.target, queue.url) for queue in queues),
            "as_of": store.as_of() is not None,
            "api": observed.ask(self.target, API_PATH, self.token)[0] == HTTPStatus.OK,
        }
        return [name for name, held in checks.items() if not held]

    def denied(self) -> list[str]:
        """The functions whose logs tell of an access denied."""
        return [name for name in FUNCTIONS if self._was_denied(name)]

    def _was_denied(self, function: str) -> bool:
        group = f"/aws/lambda/falcon-balances-local-{function}"
        pages = self.target.client("logs").get_paginator("filter_log_events")
        return any(
            "AccessDenied" in event["message"] and "delay not set" not in event["message"]
            for page in pages.paginate(logGroupName=group)
            for event in page["events"]
        )


def direct(name: str = "5553", **more: str) -> dict[str, Any]:
    said = {"schema_version": "1", "merchant_id": f"m-{name}", "balance_shop_id": f"bs-{name}-eur"}
    return {**said, "currency": "EUR", **more}


def payout(payout_id: str, amount: str, name: str = "5553") -> bytes:
    return raw(direct(name, payout_id=payout_id, amount=amount, requested_at=DATE))


def returned(payout_id: str, amount: str) -> bytes:
    bank = {"type": "return", "returned_at": DATE, "bank_reference": "bank-2"}
    return raw(direct(payout_id=payout_id, amount=amount, **bank))


def adjustment(amount: str) -> bytes:
    why = {"direction": "credit", "reason": "a try", "requested_by": "tester"}
    return raw(direct(adjustment_id="a-1", amount=amount, adjusted_at=DATE, **why))


def block(amount: str, name: str = "5553", **more: int) -> dict[str, Any]:
    reference = "expiring" if more else "by-hand"
    shop_id = f"bs-{name}-eur"
    said = {"balance_shop_id": shop_id, "amount": amount, "currency": "EUR"}
    return {**said, "reference": reference, **more}


@dataclass(frozen=True)
class Result:
    missing: list[str]
    denied: list[str]
    took_s: float

    def proves(self, grant: Grant) -> bool:
        return bool(self.missing) and bool(self.denied or grant.action in DENIED_SILENTLY)


def run_through(stacks: list[StackArtifact], whole_s: float) -> Result:
    """What was still missing when patience ended, which is sooner once something was denied.

    `whole_s`: how long the run with the whole template took.
    """
    with deployed(stacks) as target:
        run = Run(target)
        run.begin()
        begun = monotonic()
        deadline = begun + max(PATIENCE_MIN_S, PATIENCE * whole_s)
        denied: list[str] = []
        logs_due = begun
        while (missing := run.missing()) and monotonic() < deadline:
            if not denied and monotonic() >= logs_due:
                if denied := run.denied():
                    deadline = min(deadline, monotonic() + PATIENCE_ONCE_DENIED_S)
                logs_due = monotonic() + LOGS_POLL_S
            sleep(POLL_S)
        return Result(missing, denied, monotonic() - begun)


def main() -> int:
    stack.interruptible()  # whoever stops this leaves no emulator behind
    with tempfile.TemporaryDirectory() as folder:
        synthesized = assembly.synthesize(assembly.checkout(), Path(folder) / "synth.log")
        stacks = assembly.read_stacks(synthesized, process.ACCOUNT_ID, REGION)
        whole = run_through(stacks, 20)
        if whole.missing or whole.denied:
            say("whole template", f"fails: {', '.join(whole.missing)}; denied: {whole.denied}")
            return 1
        say("whole template", f"succeeds in {whole.took_s:.1f} s")
        grants = grants_of(stacks)
        for grant in grants:
            if grant.not_judged is not None:
                say(f"{grant.role} {grant.action}", f"on the template only: {grant.not_judged}")
        tried = [grant for grant in grants if grant.not_judged is None]

        def try_without(grant: Grant) -> Result:
            with tempfile.TemporaryDirectory() as own:
                return run_through(without(grant, stacks, Path(own)), whole.took_s)

        unnoticed = 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for grant, result in zip(tried, pool.map(try_without, tried), strict=True):
                unnoticed += not result.proves(grant)
                say(f"{grant.role} {grant.action}", verdict(result, grant))
    return 1 if unnoticed else 0


def verdict(result: Result, grant: Grant) -> str:
    if not result.proves(grant):
        return f"NOT NOTICED (missing: {result.missing}, denied: {result.denied})"
    denied = f" ({', '.join(result.denied)} denied)" if result.denied else ""
    return f"fails: {', '.join(result.missing)}{denied}"


def say(what: str, verdict: str) -> None:
    sys.stdout.write(f"{what:70} {verdict}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
