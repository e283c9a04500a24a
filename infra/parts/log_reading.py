"""The permissions to read a merchant's log: whole, or what was counted since its last closing."""

from aws_cdk import aws_dynamodb as dynamodb

from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket


def may_check(function: Function, balances: dynamodb.ITable, log_bucket: LockedBucket) -> None:
    """Marks are listed by an index and read by key, closings are queried."""
    function.may(["dynamodb:BatchGetItem", "dynamodb:Query"], [balances.table_arn])
    function.may(["dynamodb:Query"], [f"{balances.table_arn}/index/by-window"])
    may_fold(function, log_bucket)


def may_fold(function: Function, log_bucket: LockedBucket) -> None:
    """Without the permission to list, S3 does not say that an object is not there."""
    function.may(["s3:ListBucket"], [log_bucket.bucket.bucket_arn])
    function.may_objects(
        ["s3:GetObject"],
        log_bucket,
        "*",
        because="It reads the log of any merchant, in all stages.",
    )
