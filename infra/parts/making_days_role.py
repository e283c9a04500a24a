"""What the machine that makes closed days may do: two functions, two queries, what these need."""

from collections.abc import Sequence

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.parts.derived_bucket import DerivedBucket
from infra.parts.locked_bucket import LockedBucket
from infra.parts.nag import acknowledge, wildcard_in
from infra.parts.stage_machine import LOG_DELIVERY_ACTIONS

# Where Athena puts what a count answers; the bucket deletes it after a week.
RESULTS = "results"
_TABLES = ("journal_pages_of_a_run", "closed_day_of_a_run")


def machine_role(
    scope: Construct,
    construct_id: str,
    *,
    workgroup: str,
    database: str,
    journal: LockedBucket,
    closed: DerivedBucket,
    function_arns: Sequence[str],
) -> iam.Role:
    """Step Functions asks Athena with this role, and Athena asks Glue and S3 with it.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-athena.html
    """
    statements = [
        may(["lambda:InvokeFunction"], function_arns),
        may(LOG_DELIVERY_ACTIONS, ["*"]),
        *_of_queries(workgroup, database),
        *_of_buckets(journal, closed),
    ]
    role = iam.Role(
        scope,
        construct_id,
        assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        inline_policies={"grants": iam.PolicyDocument(statements=statements)},
    )
    acknowledge(
        role,
        "AwsSolutions-IAM5[Resource::*]",
        reason="AWS takes log delivery actions for all resources only.",
    )
    keys = ["closed/*", f"{RESULTS}/*", "pages/*"]
    for objects in [journal.objects("journal/*"), *map(closed.objects, keys)]:
        acknowledge(
            role,
            wildcard_in(objects),
            reason="Athena reads pages and writes files by keys of its own; the prefix is fixed.",
        )
    return role


def _of_queries(workgroup: str, database: str) -> list[iam.PolicyStatement]:
    """Athena asks for the default database whatever the query names; it asks for no partitions,
    which the tables' properties give.
    https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    """
    place = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
    glue = f"arn:{Aws.PARTITION}:glue:{place}"
    return [
        may(
            [
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
            ],
            [f"arn:{Aws.PARTITION}:athena:{place}:workgroup/{workgroup}"],
        ),
        may(
            ["glue:GetDatabase", "glue:GetTable"],
            [
                f"{glue}:catalog",
                f"{glue}:database/default",
                f"{glue}:database/{database}",
                *(f"{glue}:table/{database}/{name}" for name in _TABLES),
            ],
        ),
    ]


def _of_buckets(journal: LockedBucket, closed: DerivedBucket) -> list[iam.PolicyStatement]:
    """It reads pages, and writes files and results; descriptions and published lists it cannot."""
    written = [closed.objects("closed/*"), closed.objects(f"{RESULTS}/*")]
    looked_at = ["s3:GetBucketLocation", "s3:ListBucket"]
    return [
        may(["s3:GetObject"], [journal.objects("journal/*")]),
        may(looked_at, [journal.bucket.bucket_arn]),
        may(["s3:GetObject"], [closed.objects("pages/*"), *written]),
        may(["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], written),
        may([*looked_at, "s3:ListBucketMultipartUploads"], [closed.bucket.bucket_arn]),
    ]


def may(actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))
