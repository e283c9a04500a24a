"""Takes every grant away and gives back only what a function is seen to be denied.

    python -m tests.e2e.try_grants

The embedded AWS enforces IAM, so a role that may too little fails here as it would on AWS. Every
path is run, again and again, by roles that may nothing at first. A function's log must say that its
role was denied just that action; only then it gets it back. In the end every path must have come
about, so each grant is needed, and all of them are enough. An action that is granted on several
resources is then taken away from one after the other, and must be missed on each. Those that the
emulator cannot judge stay, are listed, and are asserted on the template by tests/infra.
"""

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from falcon_balances.cli.embedded import assembly, process, stack
from falcon_balances.cli.embedded.assembly import StackArtifact
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.embedded.process import RootKey
from falcon_balances.cli.target import Target
from tests.e2e import observed
from tests.e2e.every_path import EveryPath
from tests.e2e.local_stack import free_port

REGION = "eu-central-1"
# What the emulator reads or calls by itself, with nobody's rights; and what only a failure needs.
NOT_JUDGED = {
    "sqs:ReceiveMessage": "event source mapping",
    "sqs:DeleteMessage": "event source mapping",
    "sqs:GetQueueAttributes": "event source mapping",  # of who receives; the API asks by itself
    "kinesis:DescribeStream": "event source mapping",
    "kinesis:DescribeStreamSummary": "event source mapping",
    "kinesis:GetRecords": "event source mapping",
    "kinesis:GetShardIterator": "event source mapping",
    "lambda:InvokeFunction": "state machine, scheduler, API",
    # A topic without a policy of its own has AWS's default one, which lets its account publish.
    "sns:Publish": "the topic's default policy; test and live have one that only denies",
    "sqs:ChangeMessageVisibility": "only a message that fails needs it",
}
# Days of merchants of high risk are checked when they are closed, and no path waits for midnight.
# To list is needed so that S3 says that an object is not there; the emulator always says it.
CHECKS = {"closer": "only a day of high risk needs it", "payout-decider": "only S3 asks for it"}
PATIENCE_S = 480.0  # it ends when all came about; only a busy machine needs so much
MISSED_WITHIN_S = 60.0  # for a cut as well, which the sealer waits for
SILENCE_S = 3.0  # long enough for a message to come through, if it could
POLL_S = 0.5
DENIAL = re.compile(r"not authorized to perform:? (?P<action>[a-z0-9]+:[A-Za-z]+)")


@dataclass(frozen=True, order=True)
class Grant:
    """An action of a role on a resource, by the names that they are deployed under."""

    role: str
    action: str
    resource: str


def listed(said: str | list[str]) -> list[str]:
    return [said] if isinstance(said, str) else said


def grants_of(role: str, statement: dict[str, Any]) -> list[Grant]:
    return [
        Grant(role, action, resource)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


class Roles:
    """The roles as deployed; what they may is taken away, and given back while all runs."""

    def __init__(self, target: Target, names: list[str]) -> None:
        self._iam = target.client("iam")
        named = roles_of_functions(target)
        prefix = f"falcon-balances-{target.env}-"
        self._checks = {named[prefix + name]: why for name, why in CHECKS.items()}
        self._log_bucket = target.log_bucket
        self._documents = {
            (role, policy): self._iam.get_role_policy(RoleName=role, PolicyName=policy)[
                "PolicyDocument"
            ]
            for role in names
            for policy in self._iam.list_role_policies(RoleName=role)["PolicyNames"]
        }
        self.grants = {
            grant
            for (role, _), document in self._documents.items()
            for statement in document["Statement"]
            for grant in grants_of(role, statement)
        }

    def not_judged(self, grant: Grant) -> str | None:
        if grant.action.startswith("logs:"):
            return "log delivery"
        receives = Grant(grant.role, "sqs:ReceiveMessage", grant.resource) in self.grants
        if grant.action == "sqs:GetQueueAttributes" and not receives:
            return None
        if grant.role in self._checks and self._is_of_a_check(grant):
            return self._checks[grant.role]
        return NOT_JUDGED.get(grant.action)

    def _is_of_a_check(self, grant: Grant) -> bool:
        """Of the decider only the listing: it checks payouts at any time."""
        if grant.action == "s3:ListBucket":
            return grant.resource.endswith(f":{self._log_bucket}")
        is_of_closer = self._checks[grant.role] == CHECKS["closer"]
        reads = grant.action == "dynamodb:BatchGetItem" or grant.resource.endswith("/by-window")
        return is_of_closer and (reads or f":{self._log_bucket}/" in grant.resource)

    def take(self, taken: set[Grant]) -> None:
        """All but these are there."""
        for (role, policy), document in self._documents.items():
            statements = [
                {**statement, "Action": grant.action, "Resource": grant.resource}
                for statement in document["Statement"]
                for grant in grants_of(role, statement)
                if grant not in taken
            ]
            nothing = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
            self._iam.put_role_policy(
                RoleName=role,
                PolicyName=policy,
                PolicyDocument=json.dumps({**document, "Statement": statements or [nothing]}),
            )


def denials(target: Target, role_of: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """(function, (role, action)) of what was denied so far; `role_of` names each one's role."""
    logs = target.client("logs").get_paginator("filter_log_events")
    for function, role in role_of.items():
        for page in logs.paginate(logGroupName=f"/aws/lambda/{function}"):
            for event in page["events"]:
                for denial in DENIAL.finditer(event["message"]):
                    yield function, (role, denial["action"])


def roles_of_functions(target: Target) -> dict[str, str]:
    pages = target.client("lambda").get_paginator("list_functions").paginate()
    functions = [each for page in pages for each in page["Functions"]]
    return {each["FunctionName"]: each["Role"].rpartition("/")[2] for each in functions}


def nothing_is_delivered_without_a_policy(target: Target, run: EveryPath) -> list[str]:
    """The queues to which a message came although their policies let nobody send."""
    sqs, policies = target.client("sqs"), {}
    for queue in target.queues.values():
        said = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])
        policies[queue.url] = said["Attributes"]
        sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": ""})
    run.bring_money()
    sleep(SILENCE_S)
    reached = [each.url for each in target.queues.values() if observed.in_queue(target, each.url)]
    for url, policy in policies.items():
        sqs.set_queue_attributes(QueueUrl=url, Attributes=policy)
    return reached


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


def role_names(target: Target, stacks: list[StackArtifact]) -> list[str]:
    cloudformation = target.client("cloudformation")
    return [
        resource["PhysicalResourceId"]
        for each in stacks
        for resource in cloudformation.describe_stack_resources(StackName=each.name)[
            "StackResources"
        ]
        if resource["ResourceType"] == "AWS::IAM::Role"
    ]


def grow(
    target: Target, roles: Roles, run: EveryPath, tried: set[Grant]
) -> tuple[set[Grant], list[str]]:
    """What nobody asked for, and what did not come about, when patience ended."""
    taken = set(tried)
    roles.take(taken)
    role_of = roles_of_functions(target)
    deadline = monotonic() + PATIENCE_S
    while (missing := run.go_on()) and monotonic() < deadline:
        denied = {said: function for function, said in denials(target, role_of)}
        back = {grant for grant in taken if (grant.role, grant.action) in denied}
        for said in sorted({(grant.role, grant.action) for grant in back}):
            say(f"{denied[said]} {said[1]}", "denied, and given back")
        if back:
            taken -= back
            roles.take(taken)
        sleep(POLL_S)
    return taken, missing


def not_missed(target: Target, roles: Roles, run: EveryPath, tried: set[Grant]) -> Iterator[Grant]:
    """Of the actions on several resources, those resources that nobody asked for."""
    resources = Counter((grant.role, grant.action) for grant in tried)
    role_of = roles_of_functions(target)
    for grant in sorted(tried):
        if resources[grant.role, grant.action] > 1:
            own = {function: role for function, role in role_of.items() if role == grant.role}
            roles.take({grant})
            if not is_missed(grant, target, own, run):
                yield grant
    roles.take(set())


def is_missed(grant: Grant, target: Target, role_of: Mapping[str, str], run: EveryPath) -> bool:
    def count() -> int:
        return sum(said == (grant.role, grant.action) for _, said in denials(target, role_of))

    before, deadline = count(), monotonic() + MISSED_WITHIN_S
    run.stir()
    while count() == before and monotonic() < deadline:
        run.seal_once_cut()
        sleep(POLL_S)
    return count() > before


def main() -> int:
    stack.interruptible()  # whoever stops this leaves no emulator behind
    with tempfile.TemporaryDirectory() as folder:
        synthesized = assembly.synthesize(assembly.checkout(), Path(folder) / "synth.log")
        stacks = assembly.read_stacks(synthesized, process.ACCOUNT_ID, REGION)
        with deployed(stacks) as target:
            roles, run = Roles(target, role_names(target, stacks)), EveryPath(target)
            for action, why in sorted(
                {(each.action, why) for each in roles.grants if (why := roles.not_judged(each))}
            ):
                say(action, f"on the template only: {why}")
            reached = nothing_is_delivered_without_a_policy(target, run)
            tried = {grant for grant in roles.grants if roles.not_judged(grant) is None}
            left, missing = grow(target, roles, run, tried)
            if not left and not missing:
                left = set(not_missed(target, roles, run, tried))
    for url in reached:
        say(url, "REACHED without a policy")
    for grant in sorted(left):
        say(f"{grant.role} {grant.action} {grant.resource}", "NOBODY ASKED FOR IT")
    say(f"{len(tried) - len(left)} of {len(tried)} grants are needed", f"missing: {missing}")
    return 1 if reached or left or missing else 0


def say(what: str, verdict: str) -> None:
    sys.stdout.write(f"{what:70} {verdict}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
