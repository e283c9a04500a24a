"""The roles that make closed days, statement by statement; the emulator has none of them."""

import pytest

from falcon_balances.contracts.athena_sql import PAGES_OF_A_RUN, ROWS_OF_A_RUN
from tests.infra.test_grants import (
    BALANCES,
    INVOKE,
    JOURNAL_OBJECTS,
    LOG_DELIVERY,
    grants,
    own_log,
    role_of,
    trusts,
)

CLOSED, JOURNAL = "closed-<AccountId>-<Region>.Arn", "journal-<AccountId>-<Region>.Arn"
CLOSED_OBJECTS = "arn:<Partition>:s3:::closed-<AccountId>-<Region>/"
LISTS = ("GetBucketLocation", "ListBucket")
MAKES_DAYS = {
    "day-lister": {
        ("dynamodb:GetItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("s3:ListBucket", JOURNAL),
        ("s3:GetObject", f"{JOURNAL_OBJECTS}journal/*"),
        ("s3:ListBucket", CLOSED),
        ("s3:GetObject", f"{CLOSED_OBJECTS}days/*"),
        ("s3:PutObject", f"{CLOSED_OBJECTS}pages/*"),
        ("s3:PutObject", f"{CLOSED_OBJECTS}published/*"),
    },
    "day-publisher": {
        ("s3:ListBucket", CLOSED),
        ("s3:GetObject", f"{CLOSED_OBJECTS}closed/*"),
        ("s3:GetObject", f"{CLOSED_OBJECTS}days/*"),
        ("s3:PutObject", f"{CLOSED_OBJECTS}days/*"),
        ("s3:PutObject", f"{CLOSED_OBJECTS}published/*"),
    },
}


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
