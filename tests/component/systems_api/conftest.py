"""Fixtures of the tests of the systems API: one merchant with 100.00 EUR available."""

from functools import cache

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from inprocess.aws import BALANCES_TABLE
from lambdas.systems_api import adapters, blocking
from lambdas.systems_api import handler as systems
from tests.builders import (
    context_of,
)
from tests.component.systems_api.requests import BALANCE, NOW


@pytest.fixture
def store(aws, monkeypatch):
    """Merchant 5553 with 100.00 EUR available, at 10:20."""
    monkeypatch.setattr(systems.routes, "now", lambda: NOW)
    monkeypatch.setattr(blocking, "contention_delays", lambda: [0] * blocking.ATTEMPTS)
    aws.load(context_of(), context_of("other"))
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    store.transact([AddCounters(BALANCE, {"available": 10000, "operations_count": 1})])
    return store


@pytest.fixture
def world(aws, store):
    return aws


@pytest.fixture
def fake(world, monkeypatch):
    """A store that can be interrupted; the port's own suite keeps it honest."""
    fake = MemoryBalanceStore()
    fake.transact([AddCounters(BALANCE, {"available": 10000})])
    monkeypatch.setattr(adapters, "store", cache(lambda: fake))
    return fake
