"""What AWS, or the way to it, has refused, in words for whoever runs a command."""

import sys

_TEXT_MAX = 400


def aws_error_text(error: Exception) -> str | None:
    """None for what is no error of boto3's; nor is a wrong parameter, whose text would quote it."""
    # botocore takes a third of a second to import. An error of its making can only be here
    # when a command has imported it already.
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
