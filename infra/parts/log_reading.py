"""The permission to read a merchant's whole log, to check merchants of high risk."""

from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket


def may_fold(function: Function, log_bucket: LockedBucket) -> None:
    function.may(["s3:ListBucket"], [log_bucket.bucket.bucket_arn])
    function.may_objects(
        ["s3:GetObject"],
        log_bucket,
        "*",
        because="It folds the log of any merchant of high risk, in all stages.",
    )
