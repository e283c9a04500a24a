"""The balance API: one route behind a JWT authorizer, so that the function answers 404 and 405."""

import json

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.log_reading import may_fold

# No token, no query: who asked for whom is in the function's own log line, under the request id.
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
        contexts: dynamodb.ITable,
        log_bucket: LockedBucket,
        users: cognito.IUserPool,
        client: cognito.IUserPoolClient,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.handler = Function(
            self,
            "Handler",
            settings=settings,
            name="balance-api",
            kind="balance-api",
            handler="lambdas.balance_api.handler.lambda_handler",
            environment={"BALANCES_TABLE": balances.table_name},
            layer=layer,
        )
        self.handler.may(["dynamodb:GetItem", "dynamodb:Query"], [balances.table_arn])
        self.api = apigw.HttpApi(
            self, "Api", api_name=f"{settings.prefix}-api", create_default_stage=False
        )
        self._stage()
        self.api.add_routes(
            path="/v1/{proxy+}",
            methods=[apigw.HttpMethod.ANY],
            integration=integrations.HttpLambdaIntegration("Balances", self.handler.function),
            authorizer=authorizers.HttpUserPoolAuthorizer(
                "Merchants", users, user_pool_clients=[client]
            ),
        )

        self._add_systems(balances, contexts, log_bucket, layer)

    def _add_systems(
        self,
        balances: dynamodb.ITable,
        contexts: dynamodb.ITable,
        log_bucket: LockedBucket,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        """For callers with an IAM identity that may `execute-api:Invoke` these routes."""
        self.systems = Function(
            self,
            "Systems",
            settings=self._settings,
            name="systems-api",
            kind="systems-api",
            handler="lambdas.balance_api.systems.lambda_handler",
            environment={
                "BALANCES_TABLE": balances.table_name,
                "CONTEXT_TABLE": contexts.table_name,
                "LOG_BUCKET": log_bucket.bucket_name,
            },
            layer=layer,
        )
        # TransactWriteItems is authorized as the writes and checks that it consists of.
        self.systems.may(
            [
                "dynamodb:BatchGetItem",
                "dynamodb:ConditionCheckItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            [balances.table_arn],
        )
        self.systems.may(["dynamodb:BatchGetItem"], [contexts.table_arn])
        may_fold(self.systems, log_bucket)
        self.api.add_routes(
            path="/v1/systems/{proxy+}",
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
        apigw.CfnStage(
            self,
            "Stage",
            api_id=self.api.api_id,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=apigw.CfnStage.AccessLogSettingsProperty(
                destination_arn=log_group.log_group_arn, format=json.dumps(ACCESS_LOG_LINE)
            ),
            default_route_settings=apigw.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=limits.requests_per_second,
                throttling_burst_limit=limits.burst,
            ),
        )
