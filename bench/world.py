"""One environment on moto, with the adapters' own clients, and every call counted at the client."""

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import patch

from moto import mock_aws
from moto.dynamodb import models
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey
from inprocess.aws import CONTEXT_TABLE, create_environment

_SERVICES: Final = ("dynamodb", "kinesis", "s3", "sns")

Call = tuple[str, str, str]


@dataclass(slots=True)
class Calls:
    """Calls by (service, operation, resource); the persister makes them from several threads."""

    counts: Counter[Call] = field(default_factory=Counter)
    _is_paused: bool = False
    _lock: Lock = field(default_factory=Lock)

    def count(self, service: str, operation: str, resource: str) -> None:
        with self._lock:
            self.counts[service, operation, resource] += 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Does not count calls of others through the same clients."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def by_operation(self) -> Counter[str]:
        return Counter(operation for _, operation, _ in self.counts.elements())

    def on_parameters(self, params: dict[str, Any], model: Any, **_more: object) -> None:  # noqa: ANN401 - botocore's
        """Botocore's event before each call, with the parameters as the adapter gave them."""
        if not self._is_paused:
            self.count(model.service_model.service_name, model.name, _resource(params))


def spelled(by_operation: Counter[str]) -> str:
    return ", ".join(f"{count} {operation}" for operation, count in sorted(by_operation.items()))


def _resource(params: dict[str, Any]) -> str:
    for name in ("TableName", "Bucket", "StreamName"):
        if name in params:
            return str(params[name])
    if "RequestItems" in params:
        return ", ".join(params["RequestItems"])
    tables = {
        write["TableName"] for item in params.get("TransactItems", ()) for write in item.values()
    }
    return ", ".join(sorted(tables))


@contextmanager
def counted() -> Iterator[Calls]:
    """Counts all calls of the adapters' clients in the `with` block."""
    calls = Calls()
    emitters = [cast("Any", client)(service).meta.events for service in _SERVICES]
    for emitter in emitters:
        emitter.register("before-parameter-build", calls.on_parameters)
    try:
        yield calls
    finally:
        for emitter in emitters:
            emitter.unregister("before-parameter-build", calls.on_parameters)


@contextmanager
def environment(shards: int, histories: dict[ContextKey, ContextHistory]) -> Iterator[None]:
    """Buckets, tables and stream, empty but for the merchants' contexts."""
    with mock_aws(), _tables_copied_once(), _one_call_at_a_time():
        create_environment(shards)
        directory = DynamoMerchantDirectory(client("dynamodb"), CONTEXT_TABLE)
        for key, history in histories.items():
            assert directory.replace(key, (), history)
        yield


@contextmanager
def _tables_copied_once() -> Iterator[None]:
    """Before a transaction, moto copies the whole table for every item: a hundred equal copies. One
    copy is enough, and saves most of moto's time.
    """
    transact = models.DynamoDBBackend.transact_write_items

    def with_one_copy(backend: Any, items: Any) -> None:  # noqa: ANN401 - moto's
        copies: dict[int, object] = {}

        def copied(value: object, *memo: Any) -> object:  # noqa: ANN401 - copy's
            if not isinstance(value, Table):
                return copy.deepcopy(value, *memo)
            if id(value) not in copies:
                copies[id(value)] = copy.deepcopy(value)
            return copies[id(value)]

        with patch.object(models, "copy", SimpleNamespace(deepcopy=copied, copy=copy.copy)):
            transact(backend, items)

    with patch.object(models.DynamoDBBackend, "transact_write_items", with_one_copy):
        yield


@contextmanager
def _one_call_at_a_time() -> Iterator[None]:
    """Serializes moto's calls: moto iterates over dictionaries while other threads add to them."""
    call_action, lock = DynamoHandler.call_action, Lock()

    def locked(handler: Any) -> Any:  # noqa: ANN401 - moto's
        with lock:
            return call_action(handler)

    with patch.object(DynamoHandler, "call_action", locked):
        yield
