"""Brings a cloud assembly into the embedded AWS: bootstrap, assets, one stack after the other.

The only module except the adapters that calls AWS: nothing else needs these calls.
"""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from falcon_balances.adapters.sessions import AwsClient
from falcon_balances.cli.embedded.assembly import Asset, StackArtifact
from falcon_balances.cli.errors import AwsError

Clients = Callable[[str], AwsClient]

_STACK_TIMEOUT_S = 180.0
_POLL_S = 0.03
_TEMPLATES_BUCKET = "falcon-local-templates"
_BOOTSTRAP_VERSION = "30"  # as left by `cdk bootstrap`; templates ask for at least 6
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def deploy(stacks: Iterable[StackArtifact], clients: Clients) -> dict[str, str]:
    """Creates the stacks in their order, and returns the outputs of all."""
    buckets: set[str] = set()
    outputs: dict[str, str] = {}
    for stack in stacks:
        for asset in stack.assets:
            _upload(asset.bucket, asset.key, packed(asset), clients("s3"), buckets)
        outputs |= _create(stack, clients, buckets)
    return outputs


def packed(asset: Asset) -> bytes:
    """The bytes to upload: the file, or a zip that is the same for the same content."""
    if not asset.zipped:
        return asset.path.read_bytes()
    if asset.path.is_file():  # the synthesis has already zipped the folder
        return asset.path.read_bytes()
    archive = io.BytesIO()
    # Not compressed: the zip only travels over the loopback, and is unpacked at once.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(asset.path.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                entry = zipfile.ZipInfo(path.relative_to(asset.path).as_posix(), _ZIP_DATE)
                entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
                file.writestr(entry, path.read_bytes())
    return archive.getvalue()


def _upload(bucket: str, key: str, body: bytes, s3: AwsClient, buckets: set[str]) -> None:
    if bucket not in buckets:
        region = s3.meta.region_name
        place = {} if region == "us-east-1" else {"LocationConstraint": region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
        buckets.add(bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=body)


def _create(stack: StackArtifact, clients: Clients, buckets: set[str]) -> dict[str, str]:
    cloudformation = clients("cloudformation")
    template = stack.template.read_bytes()
    _bootstrap(json.loads(template), clients("ssm"))
    # By URL, as the CDK does: a template in the call itself can have at most 51,200 bytes.
    key = Path(stack.template).name
    _upload(_TEMPLATES_BUCKET, key, template, clients("s3"), buckets)
    cloudformation.create_stack(
        StackName=stack.name,
        TemplateURL=f"{cloudformation.meta.endpoint_url}/{_TEMPLATES_BUCKET}/{key}",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        OnFailure="DO_NOTHING",
    )
    deadline = time.monotonic() + _STACK_TIMEOUT_S
    while True:
        state = cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0]
        if state["StackStatus"] == "CREATE_COMPLETE":
            return {o["OutputKey"]: o["OutputValue"] for o in state.get("Outputs", ())}
        if state["StackStatus"] != "CREATE_IN_PROGRESS":
            raise AwsError(_reasons(stack.name, state, cloudformation))
        if time.monotonic() > deadline:
            raise AwsError(f"stack {stack.name} was not complete after {_STACK_TIMEOUT_S:.0f} s")
        time.sleep(_POLL_S)


def _bootstrap(template: Mapping[str, Any], ssm: AwsClient) -> None:
    """Writes the parameter that tells a template that the account is bootstrapped."""
    parameter = template.get("Parameters", {}).get("BootstrapVersion")
    if parameter:
        ssm.put_parameter(
            Name=parameter["Default"], Value=_BOOTSTRAP_VERSION, Type="String", Overwrite=True
        )


def _reasons(name: str, state: Mapping[str, Any], cloudformation: AwsClient) -> str:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [
        f"  {e['LogicalResourceId']} ({e['ResourceType']}): {e.get('ResourceStatusReason', '')}"
        for e in reversed(events)
        if e["ResourceStatus"].endswith("_FAILED")
    ]
    status = f"stack {name} is {state['StackStatus']}: {state.get('StackStatusReason', '')}"
    return "\n".join([status.rstrip(": "), *failed])
