"""A function that is called every minute; a call that failed is the next minute's to make good."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import Function
from infra.parts.nag import acknowledge


class EveryMinute(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        name: str,
        function: Function,
    ) -> None:
        super().__init__(scope, construct_id)
        arn = function.function.function_arn
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"),
            inline_policies={
                "grants": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[arn])
                    ]
                )
            },
        )
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=f"{settings.prefix}-{name}",
            schedule_expression="rate(1 minute)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=arn,
                role_arn=role.role_arn,
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=60, maximum_retry_attempts=0
                ),
            ),
        )
        lapsing = lambda_.EventInvokeConfig(
            self,
            "Lapse",
            function=function.function,
            max_event_age=Duration.seconds(60),
            retry_attempts=0,
        )
        acknowledge(
            lapsing,
            "Serverless-LambdaAsyncFailureDestination",
            reason="The next minute's call does what a lost one left: as_of stands still until "
            "then, and a block that is due stays due.",
        )
