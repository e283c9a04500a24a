"""The state machine of a stage: split, persist, publish; called synchronously by the dispatcher."""

from collections.abc import Mapping

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.code_asset import PROJECT_ROOT
from infra.parts.function import Function, fixed
from infra.parts.nag import acknowledge

DEFINITIONS = PROJECT_ROOT / "state_machines"

# Step Functions needs these to set up its log delivery; AWS has no resource types for them.
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
LOG_DELIVERY_ACTIONS = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
]


class StageMachine(Construct):
    """`definition` is the file's name; `tasks` fills its placeholders."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        stage: str,
        definition: str,
        tasks: Mapping[str, Function],
    ) -> None:
        super().__init__(scope, construct_id)
        arns = {placeholder: task.function.function_arn for placeholder, task in tasks.items()}
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
            inline_policies={"grants": _grants(list(arns.values()))},
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=f"{settings.prefix}-{stage}",
            state_machine_type=sfn.StateMachineType.EXPRESS,
            definition_body=sfn.DefinitionBody.from_file(str(DEFINITIONS / definition)),
            definition_substitutions=arns,
            role=fixed(role),
            # Without the execution's data: amounts and merchants do not belong in logs.
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Log",
                    log_group_name=f"/aws/vendedlogs/states/{settings.prefix}-{stage}",
                    retention=settings.function_logs,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            reason="AWS takes log delivery actions for all resources only.",
        )
        acknowledge(
            self.machine,
            "AwsSolutions-SF1",
            reason="Only errors are logged, and never with data: every success is in the "
            "transaction log already.",
        )
        acknowledge(
            self.machine,
            "AwsSolutions-SF2",
            "Serverless-StepFunctionStateMachineXray",
            reason="X-Ray samples; an operation is followed by its falcon_operation_id through "
            "log lines, transaction log and marks, without a gap.",
        )


def _grants(function_arns: list[str]) -> iam.PolicyDocument:
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=function_arns),
            iam.PolicyStatement(actions=LOG_DELIVERY_ACTIONS, resources=["*"]),
        ]
    )
