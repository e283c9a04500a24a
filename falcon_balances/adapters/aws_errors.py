"""Errors of AWS, or of reaching it, in words for the person who runs a command."""

import sys

_TEXT_MAX = 400


def aws_error_text(error: Exception) -> str | None:
    """The words for an error. None if the error is not boto3's, or is about wrong parameters: its
    text would quote the parameters.
    """
    # botocore takes a third of a second to import. Its errors exist only if a command has imported
    # it already.
    if "botocore" not in sys.modules:
        return None
    from botocore import exceptions as aws  # noqa: PLC0415 - see above

    if not isinstance(error, aws.ClientError | aws.BotoCoreError) or isinstance(
        error, aws.ParamValidationError
    ):
        return None
    return _text(error)[:_TEXT_MAX]


def _text(error: Exception) -> str:
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
