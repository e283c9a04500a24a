"""Writes the CloudFormation templates of one environment.

CDK_OUTDIR=build/cdk FALCON_ENV=local .venv/bin/python -m infra.app
npx aws-cdk@2.1148.1 synth -c env=test
"""

from collections.abc import Mapping
from typing import Any

# Imported first: it names Node, which aws_cdk starts when it is imported.
from infra import SHELL

# isort: split
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.data_stack import DataStack
from infra.environments import environment_named
from infra.environments.settings import EnvironmentSettings
from infra.pipeline_stack import PipelineStack

# The settings of cdk.json, repeated here so that templates are the same with and without the CDK
# CLI.
CONTEXT = {
    # A table or bucket cannot be replaced while the pipeline still uses the old one.
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
}


def build(app: App, settings: EnvironmentSettings) -> tuple[DataStack, PipelineStack]:
    if not settings.emulated:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    data = DataStack(app, f"{settings.prefix}-data", settings=settings)
    pipeline = PipelineStack(app, f"{settings.prefix}-pipeline", settings=settings, data=data)
    return data, pipeline


def main(outdir: str | None = None, context: Mapping[str, Any] | None = None) -> None:
    app = App(outdir=outdir, context={**CONTEXT, **(context or {})})
    name = app.node.try_get_context("env") or SHELL.get("FALCON_ENV", "local")
    build(app, environment_named(name))
    app.synth()


if __name__ == "__main__":
    main()
