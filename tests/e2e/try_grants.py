"""Takes each grant out of the template, one at a time, and shows that an end-to-end run notices.

    python -m tests.e2e.try_grants

The embedded AWS enforces IAM, so a role that may too little fails here as it would on AWS. The
grants that it cannot judge are listed, and asserted on the template by tests/infra. Exit code 0
when the run succeeds with the whole template and fails with each of the others.
"""

import json
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.cli.embedded import assembly, process, stack
from falcon_balances.cli.embedded.assembly import StackArtifact
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.embedded.process import RootKey
from falcon_balances.cli.target import Target
from falcon_balances.cli.token import merchant_token
from tests.builders import confirmed, context_of, raw, reconciled
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
    "lambda:InvokeFunction": "state machine, scheduler",
    "sqs:ChangeMessageVisibility": "after a failure only, and not needed even then",
}
PATIENCE = 2  # times as long as the run with the whole template took
PATIENCE_MIN_S = 6.0


@dataclass(frozen=True, order=True)
class Grant:
    role: str
    action: str

    @property
    def not_judged(self) -> str | None:
        return "log delivery" if self.action.startswith("logs:") else NOT_JUDGED.get(self.action)


def grants_of(stacks: list[StackArtifact]) -> list[Grant]:
    found = {
        Grant(role, action)
        for each in stacks
        for role, statement in statements(json.loads(each.template.read_text()))
        for action in actions(statement)
    }
    return sorted(found)


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
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
    """Every path that needs a grant: good, repeated, unknown and broken messages in both stages,
    a record that is not ours, a cut, and a merchant who asks."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.token = merchant_token(target, context_of().merchant_id)

    def begin(self) -> None:
        directory = DynamoMerchantDirectory(
            self.target.client("dynamodb"), self.target.context_table
        )
        context = context_of()
        assert directory.replace(context.key, (), [context])
        good = raw(confirmed(external_reference="good"))
        self._send("confirmed", good, b"broken", raw(confirmed(local_merchant_id="nobody")))
        self._send("confirmed", good, raw(confirmed(external_reference="other")))
        self._send("reconciled", raw(reconciled(external_reference="good")), b"broken")
        self.target.client("kinesis").put_record(
            StreamName=self.target.stream, Data=b"not ours", PartitionKey="x"
        )
        self._cut()

    def _send(self, stage: str, *bodies: bytes) -> None:
        for body in bodies:
            self.target.client("sns").publish(
                TopicArn=self.target.topic(stage), Message=body.decode()
            )

    def _cut(self) -> None:
        self.target.client("lambda").invoke(FunctionName="falcon-balances-local-cutter")

    def missing(self) -> list[str]:
        """What did not come about yet."""
        store = DynamoBalanceStore(self.target.client("dynamodb"), self.target.balances_table)
        balance = next(iter(store.balances(context_of().merchant_id)), None)
        versions = self.target.client("s3").list_object_versions(
            Bucket=self.target.quarantine_bucket
        )
        refused = [each["Key"].split("/")[0] for each in versions.get("Versions", [])]
        checks = {
            "confirmed": balance is not None and balance.confirmed == 2 * balance.reconciled > 0,
            "refused": sorted(refused) == ["confirmed", "confirmed", "reconciled", "stream"],
            "queues": not any(map(self._queued, self.target.queues)),
            "as_of": store.as_of() is not None,
            "api": self._api_answers(),
        }
        return [name for name, held in checks.items() if not held]

    def _queued(self, stage: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.target.client("sqs").get_queue_attributes(
            QueueUrl=self.target.queues[stage].url, AttributeNames=names
        )["Attributes"]
        return sum(map(int, counts.values()))

    def _api_answers(self) -> bool:
        request = urllib.request.Request(
            f"{self.target.api_url}/v1/merchants/{context_of().merchant_id}/balances",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False


def run_through(stacks: list[StackArtifact], patience_s: float) -> tuple[list[str], float]:
    """What was still missing when patience ended, and how long it took."""
    with deployed(stacks) as target:
        run = Run(target)
        run.begin()
        begun = monotonic()
        while (missing := run.missing()) and monotonic() - begun < patience_s:
            sleep(0.2)
        return missing, monotonic() - begun


def main() -> int:
    root = assembly.checkout()
    with tempfile.TemporaryDirectory() as folder:
        synthesized = assembly.synthesize(root, Path(folder) / "synth.log")
        stacks = assembly.read_stacks(synthesized, process.ACCOUNT_ID, REGION)
        missing, took_s = run_through(stacks, 60)
        say("whole template", f"failed: {', '.join(missing)}" if missing else "succeeds")
        unnoticed = len(missing)
        patience_s = max(PATIENCE_MIN_S, PATIENCE * took_s)
        for grant in grants_of(stacks):
            if grant.not_judged is not None:
                say(f"{grant.role} {grant.action}", f"on the template only: {grant.not_judged}")
                continue
            missing, _ = run_through(without(grant, stacks, Path(folder)), patience_s)
            unnoticed += not missing
            verdict = f"fails: {', '.join(missing)}" if missing else "NOT NOTICED"
            say(f"{grant.role} {grant.action}", verdict)
    return 1 if unnoticed else 0


def say(what: str, verdict: str) -> None:
    sys.stdout.write(f"{what:70} {verdict}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
