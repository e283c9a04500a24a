"""An account of AWS, played by moto, with the resources and functions of the template of `live`.

Resources, environments, memory and time-outs come from the template, so a function that gets a new
table or bucket finds it here too.
"""

import copy
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

from bench import world
from bench.environment import batch_sizes_of
from falcon_balances.adapters import clock
from falcon_balances.adapters.aws import client
from generated.events import Histories
from inprocess.aws import REGION, STREAM, create_bucket, create_table
from inprocess.aws import Index as TableIndex
from simulation.metering import Cost, metered

ENVIRONMENT: Final = "live"
_PREFIX: Final = f"falcon-balances-{ENVIRONMENT}-"
_ACCOUNT: Final = "123456789012"
_NAMES: Final = {"AWS::Region": REGION, "AWS::AccountId": _ACCOUNT, "AWS::Partition": "aws"}
_NAMED_BY: Final = ("TableName", "FunctionName")

Resource = dict[str, Any]
Handler = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A function as the template has it."""

    handler: str
    timeout_s: int
    memory_mb: int


@cache
def _templates() -> Mapping[str, Any]:
    """All resources and exports of both stacks."""
    from infra.app import main  # noqa: PLC0415 - starts CDK's Node process

    found: dict[str, Any] = {"Resources": {}, "Outputs": {}}
    with TemporaryDirectory() as folder:
        main(folder, {"env": ENVIRONMENT, "aws:cdk:bundling-stacks": []})
        for path in Path(folder).glob("*.template.json"):
            stack = json.loads(path.read_text())
            for part in found:
                found[part] |= stack.get(part, {})
    return found


def _of_type(kind: str) -> Iterator[tuple[str, Resource]]:
    for logical_id, resource in _templates()["Resources"].items():
        if resource["Type"] == kind:
            yield logical_id, resource["Properties"]


@cache
def functions() -> Mapping[str, Deployed]:
    """By name without the environment's prefix."""
    return {
        said["FunctionName"].removeprefix(_PREFIX): Deployed(
            said["Handler"], said["Timeout"], said["MemorySize"]
        )
        for _, said in _of_type("AWS::Lambda::Function")
        if "FunctionName" in said
    }


@cache
def schedules() -> Mapping[str, int]:
    """How often a day the scheduler calls each function that it calls by the clock."""
    found = {}
    for _, said in _of_type("AWS::Scheduler::Schedule"):
        target = said["Target"]["Arn"].get("Fn::GetAtt")
        if target is None:  # a state machine, which is not simulated
            continue
        name = _templates()["Resources"][target[0]]["Properties"]["FunctionName"]
        if said["ScheduleExpression"].startswith("cron("):
            minutes, hours, *_ = said["ScheduleExpression"].removeprefix("cron(").split()
            found[name.removeprefix(_PREFIX)] = _times(minutes, 60) * _times(hours, 24)
    return found


def _times(field: str, of: int) -> int:
    """How many values a field of a cron expression has: `6`, `1-5`, `30/15`, `*`."""
    if field == "*":
        return of
    if "/" in field:
        start, _, step = field.partition("/")
        return len(range(int(start), of, int(step)))
    first, _, last = field.partition("-")
    return int(last or first) - int(first) + 1


_transact_on_copies: Final = DynamoDBBackend.transact_write_items


def _transact(backend: Any, items: Any) -> None:
    """Moto copies whole tables, to restore them if a transaction is cancelled. None is here."""

    def copied(value: object, *memo: Any) -> object:
        return value if isinstance(value, Table) else copy.deepcopy(value, *memo)

    with patch.object(models, "copy", SimpleNamespace(deepcopy=copied, copy=copy.copy)):
        try:
            _transact_on_copies(backend, items)
        except Exception as error:
            raise AssertionError("a transaction was cancelled, and half of it stays") from error


def _all_items(table: Any) -> list[Any]:
    """In moto's order: it compares keys by a slow class of its own; ours are texts, or absent."""
    has_range = table.range_key_attr is not None
    of_keys = table.items.values()
    found = [one for each in of_keys for one in (each.values() if has_range else (each,))]
    return sorted(
        found, key=lambda one: (one.hash_key.value, one.range_key.value if one.range_key else "")
    )


class Account:
    """Its clock stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._key_arn = ""

    @contextmanager
    def opened(self, histories: Histories) -> Iterator[None]:
        """The functions' clock and variables are the account's in the `with` block."""
        shown = SimpleNamespace(now=lambda _zone: self.now)
        shards = batch_sizes_of(ENVIRONMENT).shards
        with (
            world.environment(shards, histories),
            patch.object(DynamoDBBackend, "transact_write_items", _transact),
            patch.object(Table, "all_items", _all_items),
            patch.object(clock, "datetime", shown),
        ):
            self._create()
            with patch.dict(os.environ, self._variables()):  # noqa: TID251 - the functions' own
                _forget()
                yield
        _forget()

    def run(
        self,
        name: str,
        event: Any = None,
        planted: Handler | None = None,
    ) -> tuple[Cost, Any]:
        """Invokes a function once, warm; or another one in its place."""
        deployed = functions()[name]
        module, _, function = deployed.handler.rpartition(".")
        handler = planted or getattr(import_module(module), function)
        context = SimpleNamespace(
            function_name=name,
            aws_request_id="simulated",
            get_remaining_time_in_millis=lambda: deployed.timeout_s * 1000,
        )
        with metered() as cost:
            answer = handler({} if event is None else event, context)
        return cost, answer

    def _create(self) -> None:
        """What the path's own places lack."""
        dynamodb, s3 = client("dynamodb"), client("s3")
        tables = set(dynamodb.list_tables()["TableNames"])
        buckets = {each["Name"] for each in s3.list_buckets()["Buckets"]}
        for logical_id, said in _of_type("AWS::DynamoDB::Table"):
            if (name := self._name(logical_id)) not in tables:
                create_table(dynamodb, name, _keys(said), _indexes(said))
        for logical_id, _ in _of_type("AWS::S3::Bucket"):
            if (name := self._name(logical_id)) not in buckets:
                create_bucket(s3, name, REGION)
        made = client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        self._key_arn = made["KeyMetadata"]["Arn"]

    def _variables(self) -> dict[str, str]:
        """Of all functions at once: where they have the same variable, they mean the same, but for
        the dispatchers, which are not run by their handlers.
        """
        return {
            name: self._text(value)
            for _, said in _of_type("AWS::Lambda::Function")
            for name, value in said.get("Environment", {}).get("Variables", {}).items()
            if not name.startswith(("POWERTOOLS", "LOG_LEVEL"))
        }

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        [(function, said)] = value.items()
        match function:
            case "Ref":
                return _NAMES.get(said) or self._name(said)
            case "Fn::GetAtt":
                return self._attribute(*said)
            case "Fn::Join":
                return str(said[0]).join(map(self._text, said[1]))
            case "Fn::ImportValue":
                return self._text(_exported(said))
        return f"{function}-{said}"

    def _attribute(self, logical_id: str, attribute: str) -> str:
        kind = _templates()["Resources"][logical_id]["Type"]
        return self._key_arn if kind == "AWS::KMS::Key" else f"{self._name(logical_id)}-{attribute}"

    def _name(self, logical_id: str) -> str:
        """Short, and for what `inprocess` makes, as it is called there."""
        resource = _templates()["Resources"][logical_id]
        if resource["Type"] == "AWS::Kinesis::Stream":
            return STREAM
        if resource["Type"] != "AWS::S3::Bucket":
            named = [resource["Properties"].get(name) for name in _NAMED_BY]
            said = next((each for each in named if each), logical_id)
            return self._text(said).removeprefix(_PREFIX)
        text = self._text(resource["Properties"]["BucketName"])
        return "falcon-" + text.removeprefix(_PREFIX).removesuffix(f"-{_ACCOUNT}-{REGION}")


def _exported(name: str) -> Any:
    outputs = _templates()["Outputs"].values()
    return next(each["Value"] for each in outputs if each.get("Export", {}).get("Name") == name)


def _keys(said: Resource) -> list[str]:
    return [each["AttributeName"] for each in said["KeySchema"]]


def _indexes(said: Resource) -> dict[str, TableIndex]:
    found = {}
    for each in said.get("GlobalSecondaryIndexes", ()):
        partition_key, sort_key = _keys(each)
        projection = each["Projection"]
        is_whole = projection["ProjectionType"] == "ALL"
        includes = None if is_whole else tuple(projection.get("NonKeyAttributes", ()))
        found[each["IndexName"]] = TableIndex(partition_key, sort_key, includes)
    return found


def _forget() -> None:
    """As in a new process: every function reads its settings again."""
    for name, module in list(sys.modules.items()):
        if name.startswith("lambdas."):
            for each in vars(module).values():
                if hasattr(each, "cache_clear") and each.__module__ == name:
                    each.cache_clear()
