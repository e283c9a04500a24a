"""A plugin that runs tests in reverse order: `pytest -p tests.reversed`.

What passes in both orders leans on nothing that another test has left. End-to-end tests keep their
order, because they share one embedded AWS on purpose: what one of them wrote is there for the next.
"""

from pathlib import Path

import pytest

E2E = Path(__file__).parent / "e2e"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    others = [item for item in items if E2E not in item.path.parents]
    others.reverse()
    items[:] = [item for item in items if E2E in item.path.parents] + others
