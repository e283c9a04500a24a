"""The state machine's definition: its placeholders, its order, what it retries."""

import json
import re

from falcon_balances.domain import errors
from infra.parts.stage_machine import DEFINITION

TEXT = DEFINITION.read_text()
ASL = json.loads(TEXT)
TASKS = ASL["States"]

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
    placeholders = set(re.findall(r"\$\{(\w+)\}", TEXT))
    assert placeholders == {"SplitterArn", "PersisterArn", "PublisherArn"}
    for machine in assembly.properties("AWS::StepFunctions::StateMachine").values():
        assert {
            placeholder: assembly.text(arn)
            for placeholder, arn in machine["DefinitionSubstitutions"].items()
        } == {
            f"{name.capitalize()}Arn": f"{name}.Arn"
            for name in ("splitter", "persister", "publisher")
        }


def test_each_state_calls_the_function_of_its_name():
    for name, task in TASKS.items():
        assert task["Arguments"]["FunctionName"] == f"${{{name}Arn}}"


def test_the_log_is_written_before_the_stream():
    order = [ASL["StartAt"]]
    while "Next" in (task := TASKS[order[-1]]):
        order.append(task["Next"])
    assert order == ["Splitter", "Persister", "Publisher"]
    assert task["End"] is True
    assert set(order) == set(TASKS)


def test_nothing_is_caught_that_would_hide_a_loss():
    assert not [name for name, task in TASKS.items() if "Catch" in task]


def test_every_error_that_is_not_of_aws_exists_in_the_code():
    named = {
        error
        for task in TASKS.values()
        for retry in task["Retry"]
        for error in retry["ErrorEquals"]
    }
    assert named >= AWS_TRANSIENT
    for error in named - AWS_TRANSIENT:
        assert issubclass(getattr(errors, error), Exception)


def test_what_is_transient_is_retried_with_backoff_and_jitter():
    for task in TASKS.values():
        (retry,) = task["Retry"]
        assert set(retry["ErrorEquals"]) == AWS_TRANSIENT | {"TransientError"}
        assert retry["BackoffRate"] > 1
        assert retry["JitterStrategy"] == "FULL"
        assert retry["MaxAttempts"] >= 1


def test_a_task_outlasts_its_function_and_the_machine_outlasts_each_task(assembly):
    functions = assembly.properties("AWS::Lambda::Function")
    for name, task in TASKS.items():
        assert functions[name.lower()]["Timeout"] < task["TimeoutSeconds"] < ASL["TimeoutSeconds"]


def test_a_dispatcher_outlasts_its_machine_where_money_is_real(real):
    functions = real.properties("AWS::Lambda::Function")
    for stage in ("confirmed", "reconciled"):
        assert functions[f"{stage}-dispatcher"]["Timeout"] >= 3 * ASL["TimeoutSeconds"]


def test_the_definition_is_jsonata_and_passes_payloads_through():
    assert ASL["QueryLanguage"] == "JSONata"
    for task in TASKS.values():
        assert task["Resource"] == "arn:aws:states:::lambda:invoke"
        assert task["Arguments"]["Payload"] == "{% $states.input %}"
        assert task["Output"] == "{% $states.result.Payload %}"
