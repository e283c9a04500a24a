"""The state machine's definition: its placeholders, its order, what it retries."""

import json
import re

import pytest

from falcon_balances.domain import errors
from infra.parts.stage_machine import DEFINITIONS

DEFINED = {
    "balance_operations": ["Splitter", "Persister", "Publisher"],
    "payouts": ["PayoutDecider", "PayoutLogger", "Publisher", "PayoutAnnouncer"],
}
TEXTS = {name: (DEFINITIONS / f"{name}.asl.json").read_text() for name in DEFINED}
ASLS = {name: json.loads(text) for name, text in TEXTS.items()}
TASKS = [(name, task) for asl in ASLS.values() for name, task in asl["States"].items()]
TIMEOUT_S = max(asl["TimeoutSeconds"] for asl in ASLS.values())


def function_of(state):
    return "-".join(re.findall("[A-Z][a-z]+", state)).lower()


# What AWS itself calls transient.
# https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
AWS_TRANSIENT = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
}


def test_every_placeholder_is_filled_with_the_function_of_its_name(assembly):
    machines = assembly.properties("AWS::StepFunctions::StateMachine")
    for stage, machine in machines.items():
        if stage == "closed-days":
            continue  # tests/infra/test_making_days.py
        name = "payouts" if stage == "payout" else "balance_operations"
        assert set(re.findall(r"\$\{(\w+)Arn\}", TEXTS[name])) == set(DEFINED[name])
        assert {
            placeholder: assembly.text(arn)
            for placeholder, arn in machine["DefinitionSubstitutions"].items()
        } == {f"{state}Arn": f"{function_of(state)}.Arn" for state in DEFINED[name]}


def test_each_state_calls_the_function_of_its_name():
    for name, task in TASKS:
        assert task["Arguments"]["FunctionName"] == f"${{{name}Arn}}"


@pytest.mark.parametrize("name", DEFINED)
def test_the_log_is_written_before_the_stream_and_an_outcome_is_announced_last(name):
    states = ASLS[name]["States"]
    order = [ASLS[name]["StartAt"]]
    while "Next" in (task := states[order[-1]]):
        order.append(task["Next"])
    assert order == DEFINED[name]
    assert task["End"] is True
    assert set(order) == set(states)


def test_nothing_is_caught_that_would_hide_a_loss():
    assert not [name for name, task in TASKS if "Catch" in task]


def test_every_error_that_is_not_of_aws_exists_in_the_code():
    named = {
        error for _, task in TASKS for retry in task["Retry"] for error in retry["ErrorEquals"]
    }
    assert named >= AWS_TRANSIENT
    for error in named - AWS_TRANSIENT:
        assert issubclass(getattr(errors, error), Exception)


def test_what_is_transient_is_retried_with_backoff_and_jitter():
    for _, task in TASKS:
        (retry,) = task["Retry"]
        assert set(retry["ErrorEquals"]) == AWS_TRANSIENT | {"TransientError"}
        assert retry["BackoffRate"] > 1
        assert retry["JitterStrategy"] == "FULL"
        assert retry["MaxAttempts"] >= 1


def test_a_task_outlasts_its_function_and_the_machine_outlasts_each_task(assembly):
    functions = assembly.properties("AWS::Lambda::Function")
    for name, task in TASKS:
        assert functions[function_of(name)]["Timeout"] < task["TimeoutSeconds"] < TIMEOUT_S


def test_a_dispatcher_outlasts_its_machine_where_money_is_real(real):
    functions = real.properties("AWS::Lambda::Function")
    for stage in ("confirmed", "reconciled", "payout", "adjustment"):
        assert functions[f"{stage}-dispatcher"]["Timeout"] >= 3 * TIMEOUT_S


def test_the_definitions_are_jsonata_and_pass_payloads_through():
    assert {asl["QueryLanguage"] for asl in ASLS.values()} == {"JSONata"}
    through = ("{% $states.input %}", "{% $states.result.Payload %}")
    # What is announced goes past the publisher, which has nothing to do with it.
    past = ("{% $states.input.publish %}", "{% $states.input.announce %}")
    for name, asl in ASLS.items():
        for state, task in asl["States"].items():
            assert task["Resource"] == "arn:aws:states:::lambda:invoke"
            is_past = (name, state) == ("payouts", "Publisher")
            passed = (task["Arguments"]["Payload"], task["Output"])
            assert passed == (past if is_past else through)
