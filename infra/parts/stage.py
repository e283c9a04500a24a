"""The entrance of one stage: its queue, its dispatcher, its state machine."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.nag import acknowledge
from infra.parts.stage_machine import StageMachine
from infra.parts.stage_queue import StageQueue

STAGES = ("confirmed", "reconciled", "payout", "adjustment")

# Well below 256 KiB, the limit of a state's input and output (design §3).
CHUNK_BUDGET_BYTES = 180_000


class Stage(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        stage: str,
        topic: sns.ITopic,
        quarantine_bucket: LockedBucket,
        definition: str,
        tasks: Mapping[str, Function],
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.queue = StageQueue(self, "Queue", settings=settings, stage=stage, topic=topic)
        self.machine = StageMachine(
            self, "Machine", settings=settings, stage=stage, definition=definition, tasks=tasks
        ).machine
        self.dispatcher = Function(
            self,
            "Dispatcher",
            settings=settings,
            name=f"{stage}-dispatcher",
            kind="dispatcher",
            handler="lambdas.dispatcher.handler.lambda_handler",
            environment={
                "STAGE": stage,
                "MODE": settings.mode,
                "STATE_MACHINE_ARN": self.machine.state_machine_arn,
                "QUARANTINE_BUCKET": quarantine_bucket.bucket_name,
                "QUEUE_URL": self.queue.queue.queue_url,
                "CHUNK_BUDGET_BYTES": str(CHUNK_BUDGET_BYTES),
            },
            layer=layer,
        )
        self._grant(stage, quarantine_bucket)
        self._read_the_queue()

    def _grant(self, stage: str, quarantine_bucket: LockedBucket) -> None:
        self.dispatcher.may(
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ChangeMessageVisibility",
            ],
            [self.queue.queue.queue_arn],
        )
        self.dispatcher.may(["states:StartSyncExecution"], [self.machine.state_machine_arn])
        self.dispatcher.may_objects(
            ["s3:PutObject"],
            quarantine_bucket,
            f"{stage}/*",
            because="A refused message's key has its date and hash; the stage is fixed.",
        )

    def _read_the_queue(self) -> None:
        reading = self._settings.queue
        mapping = lambda_.EventSourceMapping(
            self,
            "Reading",
            target=self.dispatcher.function,
            event_source_arn=self.queue.queue.queue_arn,
            batch_size=reading.batch_size,
            max_batching_window=Duration.seconds(reading.window_s),
            max_concurrency=reading.max_concurrency,
            # Without this setting, SQS would delete the messages that the dispatcher reports as
            # failed.
            report_batch_item_failures=True,
        )
        acknowledge(
            mapping,
            "Serverless-LambdaEventSourceMappingDestination",
            reason="A message that failed for a day goes to the queue's own dead-letter queue; "
            "SQS mappings have no destination.",
        )
