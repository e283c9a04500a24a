"""Fixtures of the tests of the merchants' API."""

import pytest

from tests.builders import confirmed, reconciled
from tests.component.balance_api.asking import IN_OCTOBER
from tests.component.balance_api.trading import CONTEXTS
from tests.component.ledger import MINUTE


@pytest.fixture
def traded(ledger):
    """Three months of trade, until three hours into the fourth."""
    ledger.contexts = CONTEXTS
    return ledger


@pytest.fixture
def month(ledger):
    """Something was counted in October, and October is closed."""
    ledger.at("2026-10-31T23:50:00").count(
        confirmed(external_reference="other", **IN_OCTOBER),
        confirmed(**IN_OCTOBER),
        reconciled(**IN_OCTOBER, reconciled_date="2026-10-31T23:45:00Z"),
    )
    ledger.at("2026-11-01T00:00:10").cut()
    ledger.now += MINUTE
    return ledger
