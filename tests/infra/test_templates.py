"""The templates as a whole: what they say to others, and what tools say about them."""

import json

import aws_cdk
import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from infra.app import build, main
from infra.environments import ENVIRONMENTS, environment_named
from infra.parts import locked_bucket


def test_outputs_are_what_the_command_line_looks_for(assembly):
    assert set(assembly.outputs("data")) == {
        "LogBucket",
        "QuarantineBucket",
        "BalancesTable",
        "ClaimsTable",
        "ContextTable",
        "Stream",
        "UserPoolId",
        "ClientId",
    }
    stages = ("Confirmed", "Reconciled", "Payout", "Adjustment")
    assert set(assembly.outputs("pipeline")) == {"ApiUrl", "TopicPayoutOutcome"} | {
        name.format(stage) for stage in stages for name in ("Topic{}", "Queue{}Url", "Dlq{}Url")
    }


def test_outputs_name_what_they_say(assembly):
    outputs = assembly.outputs("data") | assembly.outputs("pipeline")
    assert outputs["LogBucket"] == "log-<AccountId>-<Region>"
    assert outputs["ClaimsTable"] == "event-claims"
    assert outputs["ContextTable"] == "merchant-contexts"
    assert outputs["QueueReconciledUrl"] == "reconciled"
    assert outputs["DlqConfirmedUrl"] == "confirmed-dlq"
    assert outputs["ApiUrl"] == "api.ApiEndpoint"
    topic = f"falcon-core-{assembly.settings.name}-confirmed-operation-<Region>"
    assert outputs["TopicConfirmed"].endswith(topic)


@pytest.mark.parametrize("stack", ["data", "pipeline"])
def test_cfn_lint_finds_nothing(assembly, stack):
    path = assembly.directory / f"{assembly.settings.prefix}-{stack}.template.json"
    found = lint_file(path, config=ManualArgs(regions=["eu-central-1"]))
    assert [str(match) for match in found] == []


def test_cdk_nag_stops_what_nobody_acknowledged(tmp_path, monkeypatch):
    """And so, as the other environments were synthesized, it has nothing left to say there."""
    monkeypatch.setattr(locked_bucket, "acknowledge", lambda *_, **__: None)
    app = aws_cdk.App(outdir=str(tmp_path), context={"aws:cdk:bundling-stacks": []})
    build(app, environment_named("test"))
    with pytest.raises(RuntimeError, match=r"ValidationFailed: (.|\n)*AwsSolutions-S1"):
        app.synth()


def test_the_same_sources_make_the_same_templates(local, tmp_path):
    main(str(tmp_path), {"env": "local", "aws:cdk:bundling-stacks": []})
    for stack, template in local.templates.items():
        again = tmp_path / f"{local.settings.prefix}-{stack}.template.json"
        assert json.loads(again.read_text()) == template


def test_nothing_is_looked_up_in_an_account(assembly):
    manifest = json.loads((assembly.directory / "manifest.json").read_text())
    assert not manifest.get("missing")
    stacks = [a for a in manifest["artifacts"].values() if a["type"] == "aws:cloudformation:stack"]
    assert {stack["environment"] for stack in stacks} == {"aws://unknown-account/unknown-region"}


def test_an_unknown_environment_is_named_with_those_that_exist():
    with pytest.raises(SystemExit, match="no environment 'prod'; there are live, local, test"):
        environment_named("prod")


def test_environments_are_named_as_their_files():
    assert set(ENVIRONMENTS) == {"live", "local", "test"}
