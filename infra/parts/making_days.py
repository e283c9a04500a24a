"""Making closed days: Athena writes the journal of each closed day as Parquet."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_athena as athena
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.derived_bucket import DerivedBucket
from infra.parts.function import METRICS, Function, fixed
from infra.parts.locked_bucket import LockedBucket
from infra.parts.making_days_role import RESULTS, machine_role, may
from infra.parts.nag import acknowledge
from infra.parts.stage_machine import DEFINITIONS

# After the closer's night has begun, and once more for what was closed later in it.
NIGHTLY = "cron(30 2,5 * * ? *)"
# A night that makes its day says at its end that no day waits.
_AGE_MAX = Duration.hours(36)
# Of a query: some sixty times what a day of 12 operations a second takes.
_SCANNED_BYTES_MAX = 1 << 36


class MakingDays(Construct):
    """An execution makes one day after the other until every closed day is made. Two executions at
    once are harmless: each writes to a folder of its own, and the first description counts.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        balances: dynamodb.ITable,
        journal_bucket: LockedBucket,
        closed_bucket: DerivedBucket,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._layer = layer
        self._journal = journal_bucket
        self._closed = closed_bucket
        # The name as a text, so that grants show it.
        self._database = settings.prefix.replace("-", "_")
        lister = self._lister(balances)
        publisher = self._publisher()
        workgroup = self._workgroup()
        machine = self._machine({"DayLister": lister, "DayPublisher": publisher}, workgroup)
        machine.node.add_dependency(workgroup)
        self._schedule(machine)
        self._alarms(machine)

    def _function(self, name: str, **environment: str) -> Function:
        return Function(
            self,
            name.title().replace("-", ""),
            settings=self._settings,
            name=name,
            kind=name,
            handler=f"lambdas.{name.replace('-', '_')}.handler.lambda_handler",
            environment={"CLOSED_BUCKET": self._closed.bucket_name, **environment},
            layer=self._layer,
        )

    def _lister(self, balances: dynamodb.ITable) -> Function:
        lister = self._function(
            "day-lister",
            BALANCES_TABLE=balances.table_name,
            JOURNAL_BUCKET=self._journal.bucket_name,
            DATABASE=self._database,
        )
        lister.may(["dynamodb:GetItem", "dynamodb:Query"], [balances.table_arn])
        lister.may(["s3:ListBucket"], [self._journal.bucket.bucket_arn])
        lister.may_objects(
            ["s3:GetObject"], self._journal, "journal/*", because="It reads a day's pages."
        )
        lister.may(["s3:ListBucket"], [self._closed.bucket.bucket_arn])
        lister.may_objects(
            ["s3:GetObject"], self._closed, "days/*", because="A description's key is its day."
        )
        for keys in ("pages/*", "published/*"):
            lister.may_objects(
                ["s3:PutObject"],
                self._closed,
                keys,
                because="A list's key is its day and run; the prefix is fixed.",
            )
        return lister

    def _publisher(self) -> Function:
        publisher = self._function("day-publisher")
        publisher.may(["s3:ListBucket"], [self._closed.bucket.bucket_arn])
        publisher.may_objects(
            ["s3:GetObject"], self._closed, "closed/*", because="Athena names the files."
        )
        publisher.may_objects(
            ["s3:GetObject", "s3:PutObject"],
            self._closed,
            "days/*",
            because="A description's key is its day; the prefix is fixed.",
        )
        publisher.may_objects(
            ["s3:PutObject"], self._closed, "published/*", because="A list's key is its day."
        )
        return publisher

    def _workgroup(self) -> athena.CfnWorkGroup:
        return athena.CfnWorkGroup(
            self,
            "WorkGroup",
            name=f"{self._settings.prefix}-closed-days",
            description="Makes closed days; nobody else's queries",
            recursive_delete_option=not self._settings.keeps_data,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                bytes_scanned_cutoff_per_query=_SCANNED_BYTES_MAX,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                    selected_engine_version="Athena engine version 3"
                ),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{self._closed.bucket_name}/{RESULTS}/",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )

    def _machine(
        self, functions: dict[str, Function], workgroup: athena.CfnWorkGroup
    ) -> sfn.StateMachine:
        name = f"{self._settings.prefix}-closed-days"
        arns = {f"{state}Arn": each.function.function_arn for state, each in functions.items()}
        role = machine_role(
            self,
            "MachineRole",
            workgroup=workgroup.name,
            database=self._database,
            journal=self._journal,
            closed=self._closed,
            function_arns=list(arns.values()),
        )
        machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            definition_body=sfn.DefinitionBody.from_file(str(DEFINITIONS / "closed_days.asl.json")),
            definition_substitutions={**arns, "WorkGroup": workgroup.name},
            role=fixed(role),
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "MachineLog",
                    log_group_name=f"/aws/vendedlogs/states/{name}",
                    retention=self._settings.function_logs,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        acknowledge(
            machine,
            "AwsSolutions-SF2",
            "Serverless-StepFunctionStateMachineXray",
            reason="An execution is a handful of steps a night, each in its log.",
        )
        return machine

    def _schedule(self, machine: sfn.StateMachine) -> None:
        """Starts an execution; the scheduler may do nothing else."""
        role = iam.Role(
            self,
            "ScheduleRole",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"),
            inline_policies={
                "grants": iam.PolicyDocument(
                    statements=[may(["states:StartExecution"], [machine.state_machine_arn])]
                )
            },
        )
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=f"{self._settings.prefix}-making-days",
            schedule_expression=NIGHTLY,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=machine.state_machine_arn,
                role_arn=role.role_arn,
                # The next one does what a lost start would have done.
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=60, maximum_retry_attempts=0
                ),
            ),
        )

    def _alarms(self, machine: sfn.StateMachine) -> None:
        cloudwatch.Alarm(
            self,
            "Failed",
            alarm_name=f"{self._settings.prefix}-day-not-made",
            alarm_description="An execution that makes closed days failed: see its history. The "
            "next one begins anew; do not redrive this one. docs/closed-days.md",
            metric=machine.metric_failed(period=Duration.hours(1)),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        cloudwatch.Alarm(
            self,
            "MadeDayAge",
            alarm_name=f"{self._settings.prefix}-days-not-made",
            alarm_description="A closed day that ended more than 12 hours ago is not made, or no "
            "execution took place in a night: see the executions of closed-days.",
            metric=cloudwatch.Metric(
                namespace=METRICS,
                metric_name="MadeDayAge",
                dimensions_map={"service": "day-lister"},
                statistic="Minimum",
                period=Duration.days(1),
            ),
            threshold=_AGE_MAX.to_seconds(),
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
