"""Every role, statement by statement: what the emulator does not enforce is asserted here."""

import pytest

from falcon_balances.contracts.athena_sql import PAGES_OF_A_RUN, ROWS_OF_A_RUN
from tests.infra.assembly import as_list
from tests.infra.granted import (
    CLOSED,
    CLOSED_OBJECTS,
    FUNCTIONS,
    INVOKE,
    JOURNAL,
    JOURNAL_OBJECTS,
    LISTS,
    LOG_DELIVERY,
    MAKES_DAYS,
    TASKS,
)


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


@pytest.mark.parametrize("name", MAKES_DAYS)
def test_who_makes_days_may_do_exactly_this(real, name):
    role = role_of(real, real.properties("AWS::Lambda::Function")[name]["Role"])
    assert grants(real, role) == MAKES_DAYS[name] | own_log(name)
    assert trusts(real, role) == "lambda.amazonaws.com"


def test_the_machine_that_makes_days_may_query_pages_and_write_files_and_results(real):
    """It neither describes nor publishes a day, and reads no table of the log."""
    machine = real.properties("AWS::StepFunctions::StateMachine")["closed-days"]
    role = role_of(real, machine["RoleArn"])
    account, database = "<Region>:<AccountId>", f"falcon_balances_{real.settings.name}"
    glue = ["catalog", "database/default", f"database/{database}"]
    glue += [f"table/{database}/{each}" for each in (PAGES_OF_A_RUN, ROWS_OF_A_RUN)]
    query = ("StartQueryExecution", "StopQueryExecution", "GetQueryExecution", "GetQueryResults")
    written = [f"{CLOSED_OBJECTS}{folder}/*" for folder in ("closed", "results")]
    writes = ("PutObject", "GetObject", "AbortMultipartUpload", "ListMultipartUploadParts")
    assert grants(real, role) == {
        *((INVOKE, f"{name}.Arn") for name in MAKES_DAYS),
        *LOG_DELIVERY,
        *(
            (f"athena:{each}", f"arn:<Partition>:athena:{account}:workgroup/closed-days")
            for each in query
        ),
        *(
            (f"glue:{action}", f"arn:<Partition>:glue:{account}:{each}")
            for action in ("GetDatabase", "GetTable")
            for each in glue
        ),
        ("s3:GetObject", f"{JOURNAL_OBJECTS}journal/*"),
        ("s3:GetObject", f"{CLOSED_OBJECTS}pages/*"),
        *((f"s3:{action}", each) for action in writes for each in written),
        *((f"s3:{action}", bucket) for action in LISTS for bucket in (JOURNAL, CLOSED)),
        ("s3:ListBucketMultipartUploads", CLOSED),
    }
    assert trusts(real, role) == "states.amazonaws.com"


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
    assert len(live) == len(local) + len(MAKES_DAYS) + 2
