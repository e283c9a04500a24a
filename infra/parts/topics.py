"""The topics: Falcon Core owns those of PSPs; adjustments have our own."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.environments.settings import EnvironmentSettings


def core_topic(
    scope: Construct, construct_id: str, *, settings: EnvironmentSettings, stage: str
) -> sns.ITopic:
    subject = "create-payout-request" if stage == "payout" else f"{stage}-operation"
    name = f"falcon-core-{settings.name}-{subject}-{Aws.REGION}"
    if settings.creates_core_topics:
        return sns.Topic(scope, construct_id, topic_name=name, enforce_ssl=not settings.emulated)
    return sns.Topic.from_topic_arn(
        scope, construct_id, f"arn:{Aws.PARTITION}:sns:{Aws.REGION}:{Aws.ACCOUNT_ID}:{name}"
    )


def adjustment_topic(
    scope: Construct, construct_id: str, *, settings: EnvironmentSettings
) -> sns.Topic:
    """Denies publishing to everybody except the named operators, whatever IAM allows."""
    topic = sns.Topic(
        scope,
        construct_id,
        topic_name=f"{settings.prefix}-adjustment-{Aws.REGION}",
        enforce_ssl=not settings.emulated,
    )
    account = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}"
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="OperatorsOnly",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={
                "ArnNotLike": {
                    "aws:PrincipalArn": [f"{account}:{name}" for name in settings.operators]
                }
            },
        )
    )
    return topic
