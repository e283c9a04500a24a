"""Records why a rule of cdk-nag does not apply to a construct."""

from aws_cdk import Acknowledgment, Aws, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, *rules: str, reason: str) -> None:
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule in rules)
    )


def wildcard_in(resource: str) -> str:
    """The id of cdk-nag's finding for a grant on this resource, to acknowledge only this one."""
    for token, shown in {
        Aws.PARTITION: "<AWS::Partition>",
        Aws.ACCOUNT_ID: "<AWS::AccountId>",
        Aws.REGION: "<AWS::Region>",
    }.items():
        resource = resource.replace(token, shown)
    return f"AwsSolutions-IAM5[Resource::{resource}]"
