"""What ends a command early, and the one place that turns any error into an exit code.

Exit codes (design §11): 0 ok, 1 invalid input or unknown, 2 usage (typer's own), 3 mismatch found,
4 AWS failure or time-out, 5 unforeseen, 130 interrupted.
"""

import sys
from dataclasses import dataclass

from falcon_balances.domain.errors import IntegrityError, RejectedOperation, TransientError

EXIT_INVALID = 1
EXIT_MISMATCH = 3
EXIT_AWS = 4
EXIT_UNFORESEEN = 5

_AWS_TEXT_MAX = 400


class CliError(Exception):
    """A foreseen end of a command; the message is for a person and holds no payload."""

    exit_code = EXIT_INVALID


class InvalidInputError(CliError):
    """The input is wrong, or names something that does not exist."""


class MismatchError(CliError):
    """Two things that must be equal are not."""

    exit_code = EXIT_MISMATCH


class AwsError(CliError):
    """AWS, embedded or real, is not there, refused, or took too long."""

    exit_code = EXIT_AWS


# The families of the domain; their messages hold ids and field names, never payloads.
_DOMAIN: dict[type[Exception], int] = {
    RejectedOperation: EXIT_INVALID,
    IntegrityError: EXIT_MISMATCH,
    TransientError: EXIT_AWS,
}


@dataclass(frozen=True)
class Ending:
    message: str
    exit_code: int


def ending_of(error: Exception) -> Ending:
    """The message and the exit code for an error that reached the edge."""
    if isinstance(error, CliError):
        return Ending(str(error), error.exit_code)
    for family, exit_code in _DOMAIN.items():
        if isinstance(error, family):
            return Ending(str(error), exit_code)
    return _aws_ending(error) or Ending(
        f"unforeseen {type(error).__name__}; see the traceback with FALCON_DEBUG=1",
        EXIT_UNFORESEEN,
    )


def _aws_ending(error: Exception) -> Ending | None:
    # botocore takes a third of a second to import. An error of its making can only be here
    # when a command has imported it already.
    if "botocore" not in sys.modules:
        return None
    from botocore import exceptions as aws  # noqa: PLC0415 - see above

    # ParamValidationError quotes the parameters, so its text stays out; and it is our mistake.
    if not isinstance(error, aws.ClientError | aws.BotoCoreError) or isinstance(
        error, aws.ParamValidationError
    ):
        return None
    return Ending(_aws_text(error)[:_AWS_TEXT_MAX], EXIT_AWS)


def _aws_text(error: Exception) -> str:
    from botocore import exceptions as aws  # noqa: PLC0415 - see above

    match error:
        case aws.ClientError():
            answer = error.response.get("Error", {})
            return (
                f"AWS refused {error.operation_name}: "
                f"{answer.get('Code', 'unknown error')}: {answer.get('Message', '')}"
            )
        case aws.NoCredentialsError() | aws.PartialCredentialsError() | aws.NoRegionError():
            return f"set AWS credentials and region: {error}"
        case aws.ConnectionError() | aws.HTTPClientError():
            return f"AWS cannot be reached: {error}"
        case _:
            return f"an AWS call failed: {error}"
