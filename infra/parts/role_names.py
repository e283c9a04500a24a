"""Names of roles that another stack's policy names before the roles exist."""

from aws_cdk import Aws

from infra.environments.settings import EnvironmentSettings


def role_name(settings: EnvironmentSettings, function: str) -> str:
    """Roles have no region, so the name contains it."""
    return f"{settings.prefix}-{function}-{Aws.REGION}"


def every_role_but(name: str) -> dict[str, dict[str, list[str]]]:
    """The condition of a statement that denies something to everybody else.

    For a function's role, aws:PrincipalArn has the first form on AWS, the second on the emulator.
    """
    role = [
        f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{name}",
        f"arn:{Aws.PARTITION}:sts::{Aws.ACCOUNT_ID}:assumed-role/{name}/*",
    ]
    return {"ArnNotLike": {"aws:PrincipalArn": role}}
