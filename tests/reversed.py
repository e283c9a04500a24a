"""A plugin that runs tests in reverse order: `pytest -p tests.reversed`.

What passes in both orders leans on nothing that another test has left. This holds for end-to-end
tests too: they share one embedded AWS, and must not depend on which of them ran before.
"""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.reverse()
