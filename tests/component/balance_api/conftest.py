"""Fixtures of the tests of the merchants' API."""

import pytest

from tests.component.balance_api.trading import CONTEXTS


@pytest.fixture
def traded(ledger):
    """Three months of trade, until three hours into the fourth."""
    ledger.contexts = CONTEXTS
    return ledger
