"""Sealing the log: a signed manifest every night, with a key that cannot be exported."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.role_names import every_role_but, role_name
from infra.parts.schedule import Schedule


def signing_key(scope: Construct, settings: EnvironmentSettings) -> kms.Key:
    """A P-256 key. Anybody can check its signatures with the public key.

    CDK's own statement lets the account's IAM decide who can use the key, so any identity with
    `kms:Sign` on all resources could sign. Therefore every role except the sealer's is denied.
    Somebody who can change this policy, or the sealer, can still sign, and CloudTrail records it:
    denying these changes too would lock out everybody.
    """
    key = kms.Key(
        scope,
        "SigningKey",
        alias=f"alias/{settings.prefix}-manifests",
        description="Signs the manifests of the transaction log",
        key_spec=kms.KeySpec.ECC_NIST_P256,
        key_usage=kms.KeyUsage.SIGN_VERIFY,
        removal_policy=RemovalPolicy.RETAIN if settings.keeps_data else RemovalPolicy.DESTROY,
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="OnlyTheSealerSigns",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["kms:Sign"],
            resources=["*"],
            conditions=every_role_but(role_name(settings, "sealer")),
        )
    )
    return key


class Sealing(Construct):
    """Seals every half hour from one o'clock to half past five UTC: each run continues where the
    previous one ran out of time.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        log_bucket: LockedBucket,
        journal_bucket: LockedBucket,
        balances: dynamodb.ITable,
        manifest_bucket: LockedBucket,
        key: kms.IKey,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.sealer = Function(
            self,
            "Sealer",
            settings=settings,
            name="sealer",
            kind="sealer",
            handler="lambdas.sealer.handler.lambda_handler",
            environment={
                "LOG_BUCKET": log_bucket.bucket_name,
                "JOURNAL_BUCKET": journal_bucket.bucket_name,
                "BALANCES_TABLE": balances.table_name,
                "MANIFEST_BUCKET": manifest_bucket.bucket_name,
                "SIGNER_ARN": key.key_arn,
                "MANIFEST_OBJECTS_MAX": str(settings.sealing.manifest_objects_max),
            },
            layer=layer,
            role_name=role_name(settings, "sealer"),
        )
        self._grant(journal_bucket, balances, manifest_bucket, key)
        Schedule(
            self,
            "Nightly",
            settings=settings,
            name="sealing",
            function=self.sealer,
            expression="cron(0/30 1-5 * * ? *)",
        )

    def _grant(
        self,
        journal_bucket: LockedBucket,
        balances: dynamodb.ITable,
        manifest_bucket: LockedBucket,
        key: kms.IKey,
    ) -> None:
        """The sealer needs no permission for the log: the journals have everything to be sealed."""
        self.sealer.may(["dynamodb:GetItem", "dynamodb:Query"], [balances.table_arn])
        self.sealer.may(["s3:ListBucket"], [journal_bucket.bucket.bucket_arn])
        self.sealer.may_objects(
            ["s3:GetObject"],
            journal_bucket,
            "journal/*",
            because="It reads every page once.",
        )
        self.sealer.may(["s3:ListBucket"], [manifest_bucket.bucket.bucket_arn])
        self.sealer.may_objects(
            ["s3:GetObject", "s3:PutObject"],
            manifest_bucket,
            "manifests/*",
            because="A manifest's key is its number; the prefix is fixed.",
        )
        self.sealer.may(["kms:Sign", "kms:Verify"], [key.key_arn])
