"""Errors that end a command, and their exit codes.

Exit codes (design §11): 0 ok, 1 invalid input or something unknown, 2 wrong usage (typer's own), 3
mismatch, 4 AWS failure or time-out, 5 unforeseen, 130 interrupted.
"""

from dataclasses import dataclass

from falcon_balances.adapters.aws_errors import aws_error_text
from falcon_balances.domain.errors import IntegrityError, RejectedOperation, TransientError

EXIT_INVALID = 1
EXIT_MISMATCH = 3
EXIT_AWS = 4
EXIT_UNFORESEEN = 5


class CliError(Exception):
    """A foreseen error of a command. The message is for a person and holds no payload."""

    exit_code = EXIT_INVALID


class InvalidInputError(CliError):
    """The input is wrong, or names something that does not exist."""


class MismatchError(CliError):
    """Two things that must be equal differ."""

    exit_code = EXIT_MISMATCH


class AwsError(CliError):
    """AWS, embedded or real, cannot be reached, refused a call, or took too long."""

    exit_code = EXIT_AWS


# The error families of the domain. Their messages hold ids and field names, never payloads.
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
    """The message and the exit code for any error that ends a command."""
    if isinstance(error, CliError):
        return Ending(str(error), error.exit_code)
    for family, exit_code in _DOMAIN.items():
        if isinstance(error, family):
            return Ending(str(error), exit_code)
    if (text := aws_error_text(error)) is not None:
        return Ending(text, EXIT_AWS)
    return Ending(
        f"unforeseen {type(error).__name__}; see the traceback with FALCON_DEBUG=1",
        EXIT_UNFORESEEN,
    )
