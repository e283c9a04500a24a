"""Fixtures of the component tests: the functions with their environment, AWS on moto."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from falcon_balances.adapters.aws import client
from falcon_balances.observability import metrics
from inprocess.aws import REGION
from lambdas.balance_api import handler as balance_api
from lambdas.closer import handler as closer
from lambdas.cutter import handler as cutter
from lambdas.day_lister import handler as day_lister
from lambdas.day_publisher import handler as day_publisher
from lambdas.dispatcher import handler as dispatcher
from lambdas.expirer import handler as expirer
from lambdas.persister import handler as persister
from lambdas.publisher import handler as publisher
from lambdas.reducer import handler as reducer
from lambdas.reducer.ports import ReducerPorts
from lambdas.splitter import handler as splitter
from lambdas.systems_api import adapters as systems_adapters
from tests.component.buckets import Buckets
from tests.component.ledger import Ledger
from tests.component.world import ENVIRONMENT, AwsWorld


def no_wait(_seconds: float) -> None:
    """Nobody waits in a test."""


@pytest.fixture(scope="session", autouse=True)
def _clients_of_their_own() -> Iterator[None]:
    """Building a client takes longer than a test: one of each, never credentials of a person's."""
    cached: Any = client  # functools.cache, which its overloads hide
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        cached.cache_clear()
        for service in ("cloudwatch", "dynamodb", "kinesis", "s3", "sqs", "stepfunctions"):
            cached(service)
        yield
        cached.cache_clear()


def forget_adapters() -> None:
    """As in a new process: settings are read again."""
    for cached in (
        balance_api._settings,
        closer._settings,
        cutter._stream,
        day_lister._settings,
        day_publisher._settings,
        dispatcher._adapters,
        dispatcher._queue,
        expirer._store,
        persister._adapters,
        publisher._adapters,
        reducer._world,
        splitter._directory,
        systems_adapters.directory,
        systems_adapters.log,
        systems_adapters.queues,
        systems_adapters.refund_claims,
        systems_adapters.settings,
        systems_adapters.store,
    ):
        cached.cache_clear()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsWorld]:
    with aws_world(monkeypatch) as world:
        yield world


@contextmanager
def aws_world(patch: pytest.MonkeyPatch) -> Iterator[AwsWorld]:
    """All resources, empty, and every function ready to be called on them."""
    for name, value in ENVIRONMENT.items():
        patch.setenv(name, value)
    patch.setenv("POWERTOOLS_METRICS_DISABLED", "false")  # an empty flush is a warning
    world = AwsWorld()
    patch.setattr(dispatcher, "StepFunctionsExecutions", lambda *_: world.executions)
    patch.setattr(publisher.publish, "__defaults__", (no_wait,))
    patch.setattr(reducer, "ReducerPorts", partial(ReducerPorts, wait=no_wait))
    forget_adapters()
    metrics.clear_metrics()
    with mock_aws():
        world.create()
        yield world
    forget_adapters()


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Both APIs on the in-memory fakes: nothing counted yet, no cut complete."""
    fakes = Ledger()
    fakes.serve(monkeypatch)
    return fakes


@pytest.fixture
def buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    """Log and manifests on moto, empty."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Buckets(tmp_path)
