"""The topics on which PSPs publish. They are Falcon Core's: imported by name, or stood in for."""

from aws_cdk import Aws
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.environments.settings import EnvironmentSettings


def core_topic(
    scope: Construct, construct_id: str, *, settings: EnvironmentSettings, stage: str
) -> sns.ITopic:
    name = f"falcon-core-{settings.name}-{stage}-operation-{Aws.REGION}"
    if settings.creates_core_topics:
        return sns.Topic(scope, construct_id, topic_name=name, enforce_ssl=not settings.emulated)
    return sns.Topic.from_topic_arn(
        scope, construct_id, f"arn:{Aws.PARTITION}:sns:{Aws.REGION}:{Aws.ACCOUNT_ID}:{name}"
    )
