"""Executions of a stage's Express state machine, called synchronously (design §3)."""

from typing import TYPE_CHECKING

from pydantic import ValidationError

from falcon_balances.adapters.aws import aws_call
from falcon_balances.contracts.execution import ExecutionResult, SplitterInput
from falcon_balances.domain.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class StepFunctionsExecutions:
    def __init__(self, stepfunctions: "SFNClient", state_machine_arn: str) -> None:
        self._stepfunctions = stepfunctions
        self._state_machine_arn = state_machine_arn

    def run(self, step: SplitterInput) -> ExecutionResult:
        """The output of an execution. Raises TransientError unless it succeeded with a readable
        output.
        """
        with aws_call(f"execution of {len(step.messages)} messages"):
            answer = self._stepfunctions.start_sync_execution(
                stateMachineArn=self._state_machine_arn, input=step.model_dump_json()
            )
        if answer["status"] != "SUCCEEDED":
            name = answer["executionArn"].rsplit(":", 1)[-1]
            raise TransientError(f"execution {name} {answer['status']}: {answer.get('error')}")
        try:
            return ExecutionResult.model_validate_json(answer["output"])
        except ValidationError as error:
            raise TransientError(
                "the execution's output does not have the required form"
            ) from error
