"""A bucket for what is made of the log and the journal, and can be made of them again."""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.nag import acknowledge


class DerivedBucket(Construct):
    """Without Object Lock: Athena cannot write where objects are locked from the start. `expires`:
    after how many days objects below a prefix are deleted. `written_once`: a pattern of keys whose
    PUTs without If-None-Match are refused, and whose deletes are.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        purpose: str,
        expires: dict[str, int],
        written_once: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._name = f"{settings.prefix}-{purpose}-{Aws.ACCOUNT_ID}-{Aws.REGION}"
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=self._name,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="parts", abort_incomplete_multipart_upload_after=Duration.days(2)
                ),
                *(
                    s3.LifecycleRule(id=prefix, prefix=f"{prefix}/", expiration=Duration.days(days))
                    for prefix, days in expires.items()
                ),
            ],
            removal_policy=RemovalPolicy.RETAIN if settings.keeps_data else RemovalPolicy.DESTROY,
        )
        if written_once is not None:
            self._deny_writes_without_condition(written_once)
            self._deny_deletes(written_once)
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            reason="It holds copies; the log, the journal and the manifests prove what they say.",
        )

    @property
    def bucket_name(self) -> str:
        return self.bucket.bucket_name

    @property
    def arn(self) -> str:
        return f"arn:{Aws.PARTITION}:s3:::{self._name}"

    def objects(self, keys: str) -> str:
        """The ARN for a grant, written out so that a reader of the role sees the bucket's name."""
        return f"{self.arn}/{keys}"

    def _deny_deletes(self, keys: str) -> None:
        """Whoever may delete an object could write another one with If-None-Match."""
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DenyDeletes",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
                resources=[self.bucket.arn_for_objects(keys)],
            )
        )

    def _deny_writes_without_condition(self, keys: str) -> None:
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DenyWritesWithoutIfNoneMatch",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[self.bucket.arn_for_objects(keys)],
                conditions={"Null": {"s3:if-none-match": "true"}},
            )
        )
