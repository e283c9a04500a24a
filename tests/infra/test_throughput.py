"""Tables with units provided by the hour, as `Provided` asks for."""

from dataclasses import replace

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from falcon_balances.capacity import counts, limits
from infra.environments import environment_named
from infra.environments.settings import Provided
from infra.parts.tables import Tables
from infra.parts.throughput import BALANCES, CLAIMS, INDEXES


@pytest.fixture(scope="module")
def template():
    stack = Stack(App(), "S")
    settings = replace(environment_named("live"), provided=Provided(least=7, most=700))
    Tables(stack, "Tables", settings=settings)
    return Template.from_stack(stack).to_json()["Resources"].values()


def of(template, kind):
    return [each["Properties"] for each in template if each["Type"] == kind]


def test_claims_and_balances_begin_with_what_the_least_load_uses_70_percent_of(template):
    tables = {
        each["TableName"].rpartition("live-")[2]: each
        for each in of(template, "AWS::DynamoDB::Table")
    }
    assert tables["merchant-contexts"]["BillingMode"] == "PAY_PER_REQUEST"
    assert "BillingMode" not in tables["balances"]  # provisioned is CloudFormation's default
    begun = {name: table.get("ProvisionedThroughput") for name, table in tables.items()}
    assert begun == {
        "event-claims": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
        "merchant-contexts": None,
        "balances": {"ReadCapacityUnits": 25, "WriteCapacityUnits": 110},
    }
    indexes = {
        each["IndexName"]: each["ProvisionedThroughput"]["WriteCapacityUnits"]
        for each in tables["balances"]["GlobalSecondaryIndexes"]
    }
    assert indexes == {"by-window": 10, "by-expiry": 10, "by-open": 10, "by-reference": 5}


def test_every_table_and_index_is_scaled_in_both_directions(template):
    targets = of(template, "AWS::ApplicationAutoScaling::ScalableTarget")
    assert len(targets) == 2 * (2 + len(INDEXES))
    assert {each["MaxCapacity"] / each["MinCapacity"] for each in targets} == {100}
    policies = of(template, "AWS::ApplicationAutoScaling::ScalingPolicy")
    assert len(policies) == len(targets)
    used = {each["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for each in policies}
    assert used == {70}


def test_the_units_of_a_message_are_those_that_falcon_capacity_counts():
    one_by_one = counts.reducer_batch(records=1, balances=1)
    assert (one_by_one.reads, limits.table_units(one_by_one)) == BALANCES
    assert (counts.CLAIM_READS, counts.CLAIM_UNITS) == CLAIMS
    counted = {name: counts.UNITS.get(f"index {name}") for name in INDEXES}
    assert {name: each for name, each in counted.items() if each is not None} == {
        name: units.writes for name, units in INDEXES.items() if name != "by-expiry"
    }


def test_every_environment_of_ours_is_on_demand(assembly):
    assert assembly.settings.provided is None
    tables = assembly.properties("AWS::DynamoDB::Table").values()
    assert {each["BillingMode"] for each in tables} == {"PAY_PER_REQUEST"}
