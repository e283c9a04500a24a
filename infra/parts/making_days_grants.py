"""What the state machine that makes closed days may do."""

from typing import Final

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.parts.derived_bucket import DerivedBucket
from infra.parts.locked_bucket import LockedBucket
from infra.parts.stage_machine import LOG_DELIVERY_ACTIONS

# Where Athena puts what a count answers; the bucket deletes it after a week.
RESULTS: Final = "results"
_RUN_TABLES: Final = ("journal_pages_of_a_run", "closed_day_of_a_run")


def query_grants(
    prefix: str, journal: LockedBucket, closed: DerivedBucket, function_arns: list[str]
) -> list[iam.PolicyStatement]:
    """What a query needs is asked of the caller's role: tables, pages, files and results.
    Athena asks for the default database whatever the query names; it asks for no partitions,
    which the tables' properties give.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-athena.html
    https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    """
    database = prefix.replace("-", "_")
    arn = f"arn:{Aws.PARTITION}:glue:{Aws.REGION}:{Aws.ACCOUNT_ID}"
    workgroup = (
        f"arn:{Aws.PARTITION}:athena:{Aws.REGION}:{Aws.ACCOUNT_ID}:workgroup/{prefix}-closed-days"
    )
    tables = [f"{arn}:table/{database}/{name}" for name in _RUN_TABLES]
    written = [closed.objects("closed/*"), closed.objects(f"{RESULTS}/*")]
    return [
        may(["lambda:InvokeFunction"], function_arns),
        may(LOG_DELIVERY_ACTIONS, ["*"]),
        may(
            [
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
            ],
            [workgroup],
        ),
        may(
            ["glue:GetDatabase", "glue:GetTable"],
            [
                f"{arn}:catalog",
                f"{arn}:database/default",
                f"{arn}:database/{database}",
                *tables,
            ],
        ),
        may(["s3:GetObject"], [journal.objects("journal/*")]),
        may(["s3:GetBucketLocation", "s3:ListBucket"], [journal.bucket.bucket_arn]),
        may(["s3:GetObject"], [closed.objects("pages/*"), *written]),
        may(["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], written),
        may(
            ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            [closed.bucket.bucket_arn],
        ),
    ]


def may(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=resources)
