"""A bucket whose objects never change and are never deleted."""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.environments.settings import EnvironmentSettings, ObjectLock
from infra.parts.nag import acknowledge
from infra.parts.role_names import every_role_but

# Even with Object Lock, a delete marker hides an object, and its key can be written again. A
# lifecycle rule deletes without asking the bucket policy, and replication from another bucket adds
# delete markers and versions without any condition. Therefore all these actions are denied to all.
DELETING_ACTIONS = [
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutLifecycleConfiguration",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
]


class LockedBucket(Construct):
    """`write_once`: a PUT without If-None-Match is refused, so no key gets a second version.
    `writer`: the name of the only role that may write, whatever IAM allows to others.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        purpose: str,
        lock: ObjectLock,
        write_once: bool,
        writer: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._name = f"{settings.prefix}-{purpose}-{Aws.ACCOUNT_ID}-{Aws.REGION}"
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=self._name,
            versioned=True,
            object_lock_enabled=True,
            object_lock_default_retention=_retention(lock),
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=not settings.emulated,
            removal_policy=RemovalPolicy.RETAIN if settings.keeps_data else RemovalPolicy.DESTROY,
        )
        self._deny_deletes()
        if write_once and not settings.emulated:
            self._deny_writes_without_condition()
        if writer is not None:
            self._deny_writes_of_others(writer)
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            reason="Server access logs are best effort and prove nothing; who touched an object is "
            "recorded by CloudTrail data events, which belong to the account, not to this stack.",
        )

    @property
    def bucket_name(self) -> str:
        return self.bucket.bucket_name

    @property
    def arn(self) -> str:
        """The bucket's ARN as text, so that resources on which the bucket depends can name it."""
        return f"arn:{Aws.PARTITION}:s3:::{self._name}"

    def objects(self, keys: str) -> str:
        """The ARN for a grant, written out so that a reader of the role sees the bucket's name."""
        return f"{self.arn}/{keys}"

    def _deny_deletes(self) -> None:
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DenyDeletes",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=DELETING_ACTIONS,
                resources=[self.bucket.bucket_arn, self.bucket.arn_for_objects("*")],
            )
        )

    def _deny_writes_without_condition(self) -> None:
        """Denies every s3:PutObject without If-None-Match, so also copies, and multipart uploads,
        whose parts cannot have the header.

        AWS shows an exception for parts (s3:ObjectCreationOperation); our objects are far below a
        part's size, so they need none.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
        """
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DenyWritesWithoutIfNoneMatch",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[self.bucket.arn_for_objects("*")],
                conditions={"Null": {"s3:if-none-match": "true"}},
            )
        )

    def _deny_writes_of_others(self, writer: str) -> None:
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DenyWritesOfOthers",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[self.bucket.arn_for_objects("*")],
                conditions=every_role_but(writer),
            )
        )


def _retention(lock: ObjectLock) -> s3.ObjectLockRetention:
    duration = Duration.days(lock.days)
    if lock.mode == "COMPLIANCE":
        return s3.ObjectLockRetention.compliance(duration)
    return s3.ObjectLockRetention.governance(duration)
