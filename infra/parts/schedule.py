"""A function that is called on a schedule; the next call does the work that a failed one left."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import Function
from infra.parts.nag import acknowledge

EVERY_MINUTE = "rate(1 minute)"


class Schedule(Construct):
    """`expression`: a rate, or a cron expression in UTC. `event`: what the function is given."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        name: str,
        function: Function,
        expression: str = EVERY_MINUTE,
        event: str = "{}",
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
            schedule_expression=expression,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=arn,
                role_arn=role.role_arn,
                input=event,
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
            reason="The next call does what a lost one left: as_of stands still, a block that is "
            "due stays due, what is not sealed is sealed next.",
        )
