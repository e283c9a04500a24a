"""The contents of a function's zip: the shared package, its own folder and shared folders."""

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def function_code(folders: Sequence[str]) -> lambda_.Code:
    """`folders` below `lambdas/`: the function's own, and those it shares with others."""
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
            *(f"!/lambdas/{each}" for each in folders),
            "__pycache__",
            "*.pyc",
        ],
    )
