"""One Lambda function with its own role, log group and code folder."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.code_asset import function_code
from infra.parts.derived_bucket import DerivedBucket
from infra.parts.locked_bucket import LockedBucket
from infra.parts.nag import acknowledge, wildcard_in

METRICS = "FalconBalances"


def fixed(role: iam.Role) -> iam.IRole:
    """The role, protected from CDK's own grants, which are broader than necessary."""
    return iam.Role.from_role_arn(role, "Fixed", role.role_arn, mutable=False)


class Function(Construct):
    """`kind` names the settings that several functions of one kind share; `shares` are the folders
    below `lambdas/` that its code has in common with other functions.

    `role_name` is only for a role that another stack's policy names before the role exists.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        name: str,
        kind: str,
        handler: str,
        environment: Mapping[str, str],
        layer: lambda_.ILayerVersion | None,
        role_name: str | None = None,
        shares: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        size = settings.functions[kind]
        full_name = f"{settings.prefix}-{name}"
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{full_name}",
            retention=settings.function_logs,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self._grants = iam.PolicyDocument()
        self.role = iam.Role(
            self,
            "Role",
            role_name=role_name,
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"grants": self._grants},
        )
        self.may(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=full_name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=handler,
            code=function_code([handler.split(".")[1], *shares]),
            layers=None if layer is None else [layer],
            timeout=Duration.seconds(size.timeout_s),
            memory_size=size.memory_mb,
            role=fixed(self.role),
            log_group=log_group,
            environment={
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS,
                "LOG_LEVEL": settings.log_level,
                **environment,
            },
        )
        self._acknowledge()

    def may(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        self._grants.add_statements(
            iam.PolicyStatement(actions=list(actions), resources=list(resources))
        )

    def may_objects(
        self,
        actions: Sequence[str],
        bucket: LockedBucket | DerivedBucket,
        keys: str,
        *,
        because: str,
    ) -> None:
        objects = bucket.objects(keys)
        self.may(actions, [objects])
        acknowledge(self.role, wildcard_in(objects), reason=because)

    def _acknowledge(self) -> None:
        acknowledge(
            self.function,
            "AwsSolutions-L1",
            "Serverless-LambdaLatestVersion",
            reason="The layer is made for Python 3.13; runtime and layer move together.",
        )
        acknowledge(
            self.function,
            "Serverless-LambdaDLQ",
            reason="Whoever calls it keeps the message: a queue, the stream, a state machine or "
            "the API. Only cuts are asynchronous, and the next minute's replaces a lost one.",
        )
        acknowledge(
            self.function,
            "Serverless-LambdaTracing",
            reason="X-Ray samples, and its client costs half a second of import; an operation is "
            "followed by its falcon_operation_id through log lines and transaction log.",
        )
