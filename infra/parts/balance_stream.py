"""The stream of segments and cuts; a segment's partition key is its merchant."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from infra.environments.settings import EnvironmentSettings


def balance_stream(
    scope: Construct, construct_id: str, *, settings: EnvironmentSettings
) -> kinesis.Stream:
    shards = settings.stream.shards
    return kinesis.Stream(
        scope,
        construct_id,
        stream_name=f"{settings.prefix}-balance-operations",
        stream_mode=(
            kinesis.StreamMode.ON_DEMAND if shards is None else kinesis.StreamMode.PROVISIONED
        ),
        shard_count=shards,
        retention_period=Duration.hours(settings.stream.retention_h),
        encryption=kinesis.StreamEncryption.MANAGED,
        removal_policy=RemovalPolicy.RETAIN if settings.keeps_data else RemovalPolicy.DESTROY,
    )
