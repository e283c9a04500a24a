"""The balance API: merchants have one route behind a JWT authorizer, so the function itself answers
404 and 405; systems have one behind IAM.
"""

import json
from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.environments.settings import EnvironmentSettings, Throttling
from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.log_reading import may_fold
from infra.parts.nag import acknowledge
from infra.parts.stage_queue import StageQueue

MERCHANTS = "/v1/{proxy+}"
SYSTEMS = "/v1/systems/{proxy+}"
_ROUTES = "api_routes"  # code of the reads that both APIs share
_SEAL_CHARACTERS = 43  # letters and digits, of 5.95 bits each

# No tokens or queries. The function's own log line, with the same request id, has the caller.
ACCESS_LOG_LINE = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "latency_ms": "$context.responseLatency",
    "gateway_error": "$context.error.message",
    "integration_error": "$context.integrationErrorMessage",
}


class BalanceApi(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        balances: dynamodb.ITable,
        claims: dynamodb.ITable,
        contexts: dynamodb.ITable,
        log_bucket: LockedBucket,
        queues: Mapping[str, StageQueue],
        users: cognito.IUserPool,
        client: cognito.IUserPoolClient,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        reading = {
            "BALANCES_TABLE": balances.table_name,
            "CLAIMS_TABLE": claims.table_name,
            "LOG_BUCKET": log_bucket.bucket_name,
            "LOG_OBJECTS_MAX": str(settings.api.log_objects_max),
            "CURSOR_SEAL": self._cursor_seal(),
        }
        self.handler = Function(
            self,
            "Handler",
            settings=settings,
            name="balance-api",
            kind="balance-api",
            handler="lambdas.balance_api.handler.lambda_handler",
            environment=reading,
            layer=layer,
            shares=[_ROUTES],
        )
        self._may_read(self.handler, balances, claims, log_bucket)
        self.api = apigw.HttpApi(
            self,
            "Api",
            api_name=f"{settings.prefix}-api",
            create_default_stage=False,
            cors_preflight=_cors(settings.api.web_origin),
        )
        balances_of_merchants = integrations.HttpLambdaIntegration(
            "Balances", self.handler.function
        )
        self._routes = self.api.add_routes(
            path=MERCHANTS,
            methods=[apigw.HttpMethod.ANY],
            integration=balances_of_merchants,
            authorizer=authorizers.HttpUserPoolAuthorizer(
                "Merchants", users, user_pool_clients=[client]
            ),
        )
        if settings.api.web_origin is not None:
            # The route for all methods requires a token, which a preflight does not have. This one
            # requires none, and the function reads nothing for it.
            self._routes += self.api.add_routes(
                path=MERCHANTS,
                methods=[apigw.HttpMethod.OPTIONS],
                integration=balances_of_merchants,
            )
        self._add_systems(reading, balances, claims, contexts, log_bucket, queues, layer)
        self._stage()

    def _cursor_seal(self) -> str:
        """A reference to a generated secret of 256 bits, which CloudFormation resolves when it
        deploys a function: no call, no grant, and it is in no template
        (docs/decisions/0036-cursors-of-statements.md).
        """
        seal = secretsmanager.Secret(
            self,
            "CursorSeal",
            description="Seals the cursors of both APIs. Delete it together with the stack only.",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True, password_length=_SEAL_CHARACTERS
            ),
        )
        acknowledge(
            seal,
            "AwsSolutions-SMG4",
            reason="A rotated seal would end every cursor, and functions know it until a deploy.",
        )
        return seal.secret_value.unsafe_unwrap()

    def _may_read(
        self,
        function: Function,
        balances: dynamodb.ITable,
        claims: dynamodb.ITable,
        log_bucket: LockedBucket,
    ) -> None:
        function.may(
            ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"], [balances.table_arn]
        )
        indexes = [
            f"{balances.table_arn}/index/{name}"
            for name in ("by-window", "by-open", "by-reference")
        ]
        function.may(["dynamodb:Query"], [claims.table_arn, *indexes])
        may_fold(function, log_bucket)

    def _add_systems(
        self,
        reading: Mapping[str, str],
        balances: dynamodb.ITable,
        claims: dynamodb.ITable,
        contexts: dynamodb.ITable,
        log_bucket: LockedBucket,
        queues: Mapping[str, StageQueue],
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        """The route for callers whose IAM identity has `execute-api:Invoke` on it."""
        urls = {
            name: [each.queue.queue_url, each.dead_letters.queue_url]
            for name, each in queues.items()
        }
        self.systems = Function(
            self,
            "Systems",
            settings=self._settings,
            name="systems-api",
            kind="systems-api",
            handler="lambdas.systems_api.handler.lambda_handler",
            environment={
                **reading,
                "CONTEXT_TABLE": contexts.table_name,
                "QUEUE_URLS": Stack.of(self).to_json_string(urls),
            },
            layer=layer,
            shares=[_ROUTES],
        )
        self._may_read(self.systems, balances, claims, log_bucket)
        # TransactWriteItems is authorized as the writes and checks that it consists of.
        self.systems.may(
            [
                "dynamodb:BatchGetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            [balances.table_arn],
        )
        # A refund is authorized only while no stage of the refund is claimed.
        self.systems.may(["dynamodb:ConditionCheckItem"], [claims.table_arn])
        self.systems.may(["dynamodb:BatchGetItem"], [contexts.table_arn])
        self.systems.may(
            ["sqs:GetQueueAttributes"],
            [arn for q in queues.values() for arn in (q.queue.queue_arn, q.dead_letters.queue_arn)],
        )
        self.systems.may(["cloudwatch:GetMetricData"], ["*"])
        acknowledge(
            self.systems.role,
            "AwsSolutions-IAM5[Resource::*]",
            "Serverless-LambdaStarPermissions",
            reason="cloudwatch:GetMetricData knows no resources; it reads the queues' ages.",
        )
        self._routes += self.api.add_routes(
            path=SYSTEMS,
            methods=[apigw.HttpMethod.ANY],
            integration=integrations.HttpLambdaIntegration("Systems", self.systems.function),
            authorizer=authorizers.HttpIamAuthorizer(),
        )

    def _stage(self) -> None:
        name = f"{self._settings.prefix}-api"
        log_group = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/vendedlogs/apis/{name}",
            retention=self._settings.function_logs,
            removal_policy=RemovalPolicy.DESTROY,
        )
        limits = self._settings.api
        stage = apigw.CfnStage(
            self,
            "Stage",
            api_id=self.api.api_id,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=apigw.CfnStage.AccessLogSettingsProperty(
                destination_arn=log_group.log_group_arn, format=json.dumps(ACCESS_LOG_LINE)
            ),
            default_route_settings=apigw.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=limits.merchants.requests_per_second,
                throttling_burst_limit=limits.merchants.burst,
            ),
            route_settings={
                f"ANY {MERCHANTS}": _throttled(limits.merchants),
                f"ANY {SYSTEMS}": _throttled(limits.systems),
            },
        )
        # The API refuses settings of a route that does not exist yet.
        stage.node.add_dependency(*self._routes)


def _cors(origin: str | None) -> apigw.CorsPreflightOptions | None:
    """CORS at the gateway: otherwise the calling page could not read the gateway's own 401."""
    if origin is None:
        return None
    return apigw.CorsPreflightOptions(
        allow_origins=[origin],
        allow_methods=[apigw.CorsHttpMethod.GET, apigw.CorsHttpMethod.HEAD],
        allow_headers=["authorization", "if-none-match"],
        expose_headers=["content-disposition", "etag", "link", "retry-after", "x-request-id"],
        max_age=Duration.minutes(10),
    )


def _throttled(limits: Throttling) -> dict[str, int]:
    """The limits, spelled as in CloudFormation, which takes route settings as plain JSON."""
    return {
        "ThrottlingRateLimit": limits.requests_per_second,
        "ThrottlingBurstLimit": limits.burst,
    }
