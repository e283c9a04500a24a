"""AWS clients, built on first use and cached, and the translation of their errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from falcon_balances.domain.errors import TransientError
from falcon_balances.settings import is_local_endpoint

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

_CONNECT_TIMEOUT_S: Final = 2
# A synchronous execution answers only when it ends, so this is longer than the state machine's own
# time-out.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
_READ_TIMEOUT_S: Final = {"stepfunctions": 100}
_READ_TIMEOUT_DEFAULT_S: Final = 10
# The dispatcher plans the time of each execution, and repeats failed ones itself.
_ATTEMPTS: Final = {"stepfunctions": 1}
_POOL_CONNECTIONS: Final = 32
_DENIED: Final = re.compile(r"not authorized to perform:? ([A-Za-z0-9-]+:[A-Za-z]+)")


@overload
def client(service: Literal["cloudwatch"]) -> "CloudWatchClient": ...
@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["kinesis"]) -> "KinesisClient": ...
@overload
def client(service: Literal["kms"]) -> "KMSClient": ...
@overload
def client(service: Literal["s3"]) -> "S3Client": ...
@overload
def client(service: Literal["sns"]) -> "SNSClient": ...
@overload
def client(service: Literal["sqs"]) -> "SQSClient": ...
@overload
def client(service: Literal["stepfunctions"]) -> "SFNClient": ...
@cache
def client(service: str) -> Any:
    """The function's client of a service: standard retries, short timeouts."""
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S.get(service, _READ_TIMEOUT_DEFAULT_S),
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS.get(service, 3)},
        max_pool_connections=_POOL_CONNECTIONS,
        # botocore puts `sync-` before the host of StartSyncExecution; that name resolves on AWS
        # only.
        inject_host_prefix=not is_local_endpoint(),
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]


def error_code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "Unknown")


@contextmanager
def aws_call(what: str) -> Iterator[None]:
    """Turns every error of AWS into TransientError: the operation itself is not wrong.

    `what` names the call and its ids, never a payload. A missing permission is named, for the
    person who must grant it.
    """
    try:
        yield
    except ClientError as error:
        raise TransientError(f"{what}: {error_code(error)}{_denied(error)}") from error
    except BotoCoreError as error:
        raise TransientError(f"{what}: {type(error).__name__}") from error


def _denied(error: ClientError) -> str:
    """The action in AWS's message; nothing else of the message is repeated."""
    action = _DENIED.search(error.response.get("Error", {}).get("Message", ""))
    return f", not authorized to perform {action[1]}" if action else ""
