"""Every role, statement by statement: what the emulator does not enforce is asserted here."""

import pytest

from tests.infra.assembly import as_list

LOG_OBJECTS = "arn:<Partition>:s3:::log-<AccountId>-<Region>/"
JOURNAL_OBJECTS = "arn:<Partition>:s3:::journal-<AccountId>-<Region>/"
QUARANTINE_OBJECTS = "arn:<Partition>:s3:::quarantine-<AccountId>-<Region>/"
SIGNING_KEY = "Signs the manifests of the transaction log"
STATEMENT_OBJECTS = "arn:<Partition>:s3:::statements-<AccountId>-<Region>/"
MANIFEST_OBJECTS = "arn:<Partition>:s3:::manifests-<AccountId>-<Region>/"
FOLDS_THE_LOG = {
    ("s3:ListBucket", "log-<AccountId>-<Region>.Arn"),
    ("s3:GetObject", f"{LOG_OBJECTS}*"),
}
STREAM, BALANCES = "balance-operations.Arn", "balances.Arn"
READS_MERCHANTS = {
    ("dynamodb:BatchGetItem", BALANCES),
    ("dynamodb:GetItem", BALANCES),
    ("dynamodb:Query", BALANCES),
    ("dynamodb:Query", f"{BALANCES}/index/by-window"),
    ("dynamodb:Query", f"{BALANCES}/index/by-open"),
    ("dynamodb:Query", f"{BALANCES}/index/by-reference"),
    ("dynamodb:Query", "event-claims.Arn"),
    *FOLDS_THE_LOG,
}
LOOKS_AT_QUEUES = {
    ("sqs:GetQueueAttributes", f"{stage}{kind}.Arn")
    for stage in ("confirmed", "reconciled", "payout", "adjustment")
    for kind in ("", "-dlq")
}


def dispatcher_of(stage):
    return {
        ("sqs:ReceiveMessage", f"{stage}.Arn"),
        ("sqs:DeleteMessage", f"{stage}.Arn"),
        ("sqs:GetQueueAttributes", f"{stage}.Arn"),
        ("sqs:ChangeMessageVisibility", f"{stage}.Arn"),
        ("states:StartSyncExecution", stage),
        ("s3:PutObject", f"{QUARANTINE_OBJECTS}{stage}/*"),
    }


FUNCTIONS = {
    "confirmed-dispatcher": dispatcher_of("confirmed"),
    "reconciled-dispatcher": dispatcher_of("reconciled"),
    "payout-dispatcher": dispatcher_of("payout"),
    "adjustment-dispatcher": dispatcher_of("adjustment"),
    "payout-decider": {
        ("dynamodb:GetItem", "event-claims.Arn"),
        ("dynamodb:PutItem", "event-claims.Arn"),
        ("dynamodb:UpdateItem", "event-claims.Arn"),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("dynamodb:UpdateItem", BALANCES),
        ("dynamodb:BatchGetItem", "merchant-contexts.Arn"),
        *FOLDS_THE_LOG,
    },
    "payout-logger": {
        ("dynamodb:UpdateItem", "event-claims.Arn"),
        ("s3:PutObject", f"{LOG_OBJECTS}payout/*"),
        ("s3:GetObject", f"{LOG_OBJECTS}payout/*"),
    },
    "payout-announcer": {
        ("dynamodb:UpdateItem", "event-claims.Arn"),
        ("sns:Publish", "payout-outcome-<Region>"),
    },
    "expirer": {
        ("dynamodb:Query", f"{BALANCES}/index/by-expiry"),
        ("dynamodb:BatchGetItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:UpdateItem", BALANCES),
    },
    "closer": {
        ("dynamodb:GetItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("s3:ListBucket", "journal-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", f"{JOURNAL_OBJECTS}journal/*"),
    },
    "systems-api": {
        ("dynamodb:BatchGetItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:UpdateItem", BALANCES),
        ("dynamodb:ConditionCheckItem", "event-claims.Arn"),
        ("dynamodb:BatchGetItem", "merchant-contexts.Arn"),
        # It knows no resources.
        ("cloudwatch:GetMetricData", "*"),
        *READS_MERCHANTS,
        *LOOKS_AT_QUEUES,
    },
    "splitter": {("dynamodb:BatchGetItem", "merchant-contexts.Arn")},
    "persister": {
        ("dynamodb:PutItem", "event-claims.Arn"),
        ("dynamodb:GetItem", "event-claims.Arn"),
        ("dynamodb:Query", "event-claims.Arn"),
        ("dynamodb:GetItem", BALANCES),
        ("s3:PutObject", f"{LOG_OBJECTS}*"),
        ("s3:GetObject", f"{LOG_OBJECTS}*"),
    },
    "publisher": {
        ("kinesis:PutRecords", STREAM),
        ("dynamodb:GetItem", "event-claims.Arn"),
        ("s3:GetObject", f"{LOG_OBJECTS}*"),
    },
    "reducer": {
        ("kinesis:DescribeStream", STREAM),
        ("kinesis:DescribeStreamSummary", STREAM),
        ("kinesis:GetRecords", STREAM),
        ("kinesis:GetShardIterator", STREAM),
        ("kinesis:ListShards", STREAM),
        ("dynamodb:BatchGetItem", BALANCES),
        ("dynamodb:DeleteItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:UpdateItem", BALANCES),
        ("s3:PutObject", f"{QUARANTINE_OBJECTS}stream/*"),
        ("s3:PutObject", f"{QUARANTINE_OBJECTS}parked/*"),
        ("s3:PutObject", f"{JOURNAL_OBJECTS}journal/*"),
    },
    "cutter": {("kinesis:ListShards", STREAM), ("kinesis:PutRecord", STREAM)},
    "balance-api": READS_MERCHANTS,
    "sealer": {
        ("dynamodb:GetItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("s3:ListBucket", "journal-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", "arn:<Partition>:s3:::journal-<AccountId>-<Region>/journal/*"),
        ("s3:ListBucket", "manifests-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", f"{MANIFEST_OBJECTS}manifests/*"),
        ("s3:PutObject", f"{MANIFEST_OBJECTS}manifests/*"),
        ("kms:Sign", f"{SIGNING_KEY}.Arn"),
        ("kms:Verify", f"{SIGNING_KEY}.Arn"),
    },
    "reconciler": {
        *FOLDS_THE_LOG,
        ("s3:ListBucket", "statements-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", f"{STATEMENT_OBJECTS}statements/*"),
        ("s3:PutObject", f"{STATEMENT_OBJECTS}reports/*"),
    },
}
INVOKE = "lambda:InvokeFunction"
WRITERS = ("splitter", "persister", "publisher")
TASKS = dict.fromkeys(("confirmed", "reconciled", "adjustment"), WRITERS) | {
    "payout": ("payout-decider", "payout-logger", "publisher", "payout-announcer")
}
LOG_DELIVERY = {
    (f"logs:{action}", "*")
    for action in (
        "CreateLogDelivery",
        "DeleteLogDelivery",
        "DescribeLogGroups",
        "DescribeResourcePolicies",
        "GetLogDelivery",
        "ListLogDeliveries",
        "PutResourcePolicy",
        "UpdateLogDelivery",
    )
}


def own_log(name):
    group = f"/aws/lambda/{name}.Arn"
    return {("logs:CreateLogStream", group), ("logs:PutLogEvents", group)}


def role_of(assembly, reference):
    """The logical id of the role behind a RoleArn."""
    return assembly.text(reference).removesuffix(".Arn")


def grants(assembly, role):
    properties = assembly.properties("AWS::IAM::Role")[role]
    assert set(properties) - {"RoleName"} == {"AssumeRolePolicyDocument", "Policies"}
    return {
        (action, assembly.text(resource))
        for policy in properties["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if statement["Effect"] == "Allow" and "Condition" not in statement
    }


def trusts(assembly, role):
    document = assembly.properties("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]
    (statement,) = document["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    return statement["Principal"]["Service"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_do_exactly_this(assembly, name):
    role = role_of(assembly, assembly.properties("AWS::Lambda::Function")[name]["Role"])
    assert grants(assembly, role) == FUNCTIONS[name] | own_log(name)
    assert trusts(assembly, role) == "lambda.amazonaws.com"


@pytest.mark.parametrize("stage", TASKS)
def test_a_state_machine_may_invoke_its_functions_and_write_its_log(assembly, stage):
    machine = assembly.properties("AWS::StepFunctions::StateMachine")[stage]
    role = role_of(assembly, machine["RoleArn"])
    invoked = {(INVOKE, f"{name}.Arn") for name in TASKS[stage]}
    assert grants(assembly, role) == invoked | LOG_DELIVERY
    assert trusts(assembly, role) == "states.amazonaws.com"


def test_a_schedule_may_invoke_its_function_only(assembly):
    for schedule in assembly.properties("AWS::Scheduler::Schedule").values():
        role, target = role_of(assembly, schedule["Target"]["RoleArn"]), schedule["Target"]["Arn"]
        is_machine = assembly.text(target) == "closed-days"
        action = "states:StartExecution" if is_machine else INVOKE
        assert grants(assembly, role) == {(action, assembly.text(target))}
        assert trusts(assembly, role) == "scheduler.amazonaws.com"


def test_everyone_has_a_role_of_their_own_and_no_other_grant_exists(assembly):
    used = [
        role_of(assembly, properties[reference])
        for resource_type, reference in (
            ("AWS::Lambda::Function", "Role"),
            ("AWS::StepFunctions::StateMachine", "RoleArn"),
        )
        for properties in assembly.properties(resource_type).values()
    ]
    used += [
        role_of(assembly, schedule["Target"]["RoleArn"])
        for schedule in assembly.properties("AWS::Scheduler::Schedule").values()
    ]
    assert sorted(used) == sorted(assembly.all("AWS::IAM::Role"))
    assert not assembly.all("AWS::IAM::Policy")
    assert not assembly.all("AWS::IAM::ManagedPolicy")


def test_only_the_api_may_invoke_a_function_from_outside(assembly):
    permissions = assembly.properties("AWS::Lambda::Permission").values()
    assert {permission["Principal"] for permission in permissions} == {"apigateway.amazonaws.com"}
    routes = {
        assembly.text(permission["FunctionName"]): assembly.text(permission["SourceArn"])
        for permission in permissions
    }
    assert set(routes) == {"balance-api.Arn", "systems-api.Arn"}
    assert routes["balance-api.Arn"].endswith(":api/*/*/v1/{proxy+}")
    assert routes["systems-api.Arn"].endswith(":api/*/*/v1/systems/{proxy+}")


def test_who_answers_merchants_may_write_nothing(assembly):
    role = role_of(assembly, assembly.properties("AWS::Lambda::Function")["balance-api"]["Role"])
    allowed = {action for action, _ in grants(assembly, role) if not action.startswith("logs:")}
    reads = {f"dynamodb:{name}" for name in ("BatchGetItem", "GetItem", "Query")}
    assert allowed == {*reads, "s3:GetObject", "s3:ListBucket"}


def test_grants_are_the_same_in_every_environment(assemblies):
    """But that the emulator makes no days."""

    def all_grants(assembly):
        """Tables are named after their environment."""
        name = f"falcon_balances_{assembly.settings.name}"
        return {
            role: {
                (action, each.replace(name, "database")) for action, each in grants(assembly, role)
            }
            for role in assembly.all("AWS::IAM::Role")
        }

    local, test, live = (all_grants(assemblies[name]) for name in ("local", "test", "live"))
    assert test == live
    assert local == {role: each for role, each in live.items() if "MakingDays" not in role}
    assert len(live) == len(local) + 4, "two functions, the machine, its schedule"
