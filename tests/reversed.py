"""A plugin that runs tests in reverse order: `pytest -p tests.reversed`.

What passes in both orders leans on nothing that another test has left. Also the end-to-end tests,
which share one embedded AWS: each finds there what others wrote, of whatever tests came before.
"""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.reverse()
