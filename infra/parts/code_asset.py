"""What is in a function's zip: the shared package and the function's own folder, nothing else."""

from pathlib import Path

from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def function_code(package: str) -> lambda_.Code:
    return lambda_.Code.from_asset(
        str(PROJECT_ROOT),
        ignore_mode=IgnoreMode.GIT,
        exclude=[
            "/*",
            "!/falcon_balances",
            "/falcon_balances/cli",
            "/falcon_balances/fakes",
            "!/lambdas",
            "/lambdas/*",
            "!/lambdas/__init__.py",
            f"!/lambdas/{package}",
            "__pycache__",
            "*.pyc",
        ],
    )
