"""Everything that works on the data: topics, queues, functions, state machines, schedule, API."""

from aws_cdk import CfnOutput, DefaultStackSynthesizer, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.data_stack import DataStack
from infra.environments.settings import EnvironmentSettings
from infra.parts.balance_api import BalanceApi
from infra.parts.closing import Closing
from infra.parts.counting import Counting
from infra.parts.layer import dependencies_layer
from infra.parts.making_days import MakingDays
from infra.parts.payouts import Payouts
from infra.parts.reconciling import Reconciling
from infra.parts.sealing import Sealing
from infra.parts.stage import STAGES, Stage
from infra.parts.stage_queue import StageQueue
from infra.parts.topics import adjustment_topic, core_topic
from infra.parts.writers import Writers


class PipelineStack(Stack):
    def __init__(
        self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings, data: DataStack
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Falcon Balances: queues, functions, state machines, schedule, API",
            analytics_reporting=False,
            # The emulator is an account without the bootstrap stack that CDK would look for.
            synthesizer=DefaultStackSynthesizer(
                generate_bootstrap_version_rule=not settings.emulated
            ),
            termination_protection=settings.keeps_data,
        )
        layer = (
            dependencies_layer(self, "Dependencies", name=f"{settings.prefix}-dependencies")
            if settings.has_layer
            else None
        )
        queues = self._add_stages(settings, data, layer)
        Counting(
            self,
            "Counting",
            settings=settings,
            stream=data.stream,
            balances=data.tables.balances,
            journal_bucket=data.journal_bucket,
            quarantine_bucket=data.quarantine_bucket,
            layer=layer,
        )
        Closing(
            self,
            "Closing",
            settings=settings,
            balances=data.tables.balances,
            contexts=data.tables.contexts,
            log_bucket=data.log_bucket,
            journal_bucket=data.journal_bucket,
            layer=layer,
        )
        if data.closed_bucket is not None:
            MakingDays(
                self,
                "MakingDays",
                settings=settings,
                balances=data.tables.balances,
                journal_bucket=data.journal_bucket,
                closed_bucket=data.closed_bucket,
                layer=layer,
            )
        Sealing(
            self,
            "Sealing",
            settings=settings,
            log_bucket=data.log_bucket,
            journal_bucket=data.journal_bucket,
            balances=data.tables.balances,
            manifest_bucket=data.manifest_bucket,
            key=data.signing_key,
            layer=layer,
        )
        Reconciling(
            self,
            "Reconciling",
            settings=settings,
            balances=data.tables.balances,
            journal_bucket=data.journal_bucket,
            bank_statement_bucket=data.bank_statement_bucket,
            layer=layer,
        )
        api = BalanceApi(
            self,
            "BalanceApi",
            settings=settings,
            balances=data.tables.balances,
            log_bucket=data.log_bucket,
            claims=data.tables.claims,
            contexts=data.tables.contexts,
            queues=queues,
            users=data.users.pool,
            client=data.users.client,
            layer=layer,
        ).api
        CfnOutput(self, "ApiUrl", value=api.api_endpoint)

    def _add_stages(
        self,
        settings: EnvironmentSettings,
        data: DataStack,
        layer: lambda_.ILayerVersion | None,
    ) -> dict[str, StageQueue]:
        writers = Writers(
            self,
            "Writers",
            settings=settings,
            contexts=data.tables.contexts,
            claims=data.tables.claims,
            balances=data.tables.balances,
            log_bucket=data.log_bucket,
            stream=data.stream,
            layer=layer,
        )
        payouts = Payouts(
            self,
            "Payouts",
            settings=settings,
            contexts=data.tables.contexts,
            claims=data.tables.claims,
            balances=data.tables.balances,
            log_bucket=data.log_bucket,
            publisher=writers.publisher,
            layer=layer,
        )
        CfnOutput(self, "TopicPayoutOutcome", value=payouts.outcomes.topic_arn)
        queues: dict[str, StageQueue] = {}
        for name in STAGES:
            is_payout = name == "payout"
            topic = self._topic(settings, name)
            stage = Stage(
                self,
                name.capitalize(),
                settings=settings,
                stage=name,
                topic=topic,
                quarantine_bucket=data.quarantine_bucket,
                definition="payouts.asl.json" if is_payout else "balance_operations.asl.json",
                tasks=payouts.tasks if is_payout else writers.tasks,
                layer=layer,
            )
            self._name_outputs(name.capitalize(), topic, stage)
            queues[name] = stage.queue
        return queues

    def _topic(self, settings: EnvironmentSettings, stage: str) -> sns.ITopic:
        construct_id = f"{stage.capitalize()}Topic"
        if stage == "adjustment":
            return adjustment_topic(self, construct_id, settings=settings)
        return core_topic(self, construct_id, settings=settings, stage=stage)

    def _name_outputs(self, title: str, topic: sns.ITopic, stage: Stage) -> None:
        for name, value in {
            f"Topic{title}": topic.topic_arn,
            f"Queue{title}Url": stage.queue.queue.queue_url,
            f"Dlq{title}Url": stage.queue.dead_letters.queue_url,
        }.items():
            CfnOutput(self, name, value=value)
