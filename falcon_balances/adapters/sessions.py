"""Sessions and clients for commands. boto3 is imported late; the user's AWS settings do not affect
clients of the emulator.
"""

from collections.abc import Mapping
from typing import Any

# boto3 creates its clients at run time; where a type helps, the caller declares it: `s3: S3Client =
# target.client("s3")`.
AwsClient = Any
AwsSession = Any


def local_client(
    service: str, endpoint_url: str, region: str, access_key_id: str, secret_access_key: str
) -> AwsClient:
    """A client of the emulator that the user's AWS settings cannot redirect or break."""
    import boto3  # noqa: PLC0415 - a third of a second, which --help should not cost
    from botocore.config import Config  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    # If the shell names a profile that does not exist, even explicit keys would fail.
    nowhere = (None, None, "/dev/null", None)
    shielded: AwsSession = Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nowhere,
            "credentials_file": nowhere,
        }
    )
    session: AwsSession = boto3.Session(botocore_session=shielded)
    return session.client(
        service,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        # botocore would put the prefix before an IP address, and use a proxy for the local host.
        config=Config(
            inject_host_prefix=False,
            proxies={},
            retries={"total_max_attempts": 3},
            max_pool_connections=32,
        ),
    )


def account_session(region: str | None = None) -> AwsSession:
    """A session with profile, keys and region as the AWS CLI finds them."""
    import boto3  # noqa: PLC0415 - a third of a second, which --help should not cost

    return boto3.Session(region_name=region)


def account_id(session: AwsSession) -> str:
    return str(session.client("sts").get_caller_identity()["Account"])


def stack_outputs(session: AwsSession, name: str) -> dict[str, str] | None:
    """The stack's outputs by key; None if the stack does not exist."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        stacks = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        # CloudFormation has no error code of its own for a missing stack.
        if "does not exist" in error.response["Error"].get("Message", ""):
            return None
        raise
    return {each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", [])}


def signed(
    method: str,
    url: str,
    data: bytes | None,
    headers: Mapping[str, str],
    *,
    region: str,
    key: tuple[str, str] | None,
) -> dict[str, str]:
    """The headers with a signature (version 4) for the gateway's service.

    `key`: id and secret; None for the credentials that the AWS CLI finds.
    """
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - a third of a second
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

    credentials = Credentials(*key) if key else account_session(region).get_credentials()
    if credentials is None:
        raise NoCredentialsError
    request = AWSRequest(method=method, url=url, data=data, headers=dict(headers))
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    return dict(request.headers.items())
