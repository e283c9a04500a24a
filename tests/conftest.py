"""What every test runs under: quiet logs, and no metrics on standard output."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

os.environ |= {  # noqa: TID251 - before the functions under test are imported
    "LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "FalconBalances",
    "POWERTOOLS_SERVICE_NAME": "test",
}

TESTS = Path(__file__).parent
LONGEST = ("e2e", "property", "infra", "contract")
USE_SCHEMATHESIS = ("test_openapi.py", "test_typed_client.py")

# Of what tests start as processes: without bytecode each compiles all its libraries anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # noqa: TID251

# How many examples property tests look at, if they do not say it themselves; those of the whole
# path look at ten times as many (`tests/property/machine.py`) in every profile but the quick one.
# Making a failing example smaller takes up to five minutes, which CI leaves to whoever mends it:
# without CI in the environment `--hypothesis-profile=shrunk` finds the same example again.
FOUND = [Phase.explicit, Phase.reuse, Phase.generate, Phase.target]
settings.register_profile("quick", max_examples=200, deadline=None)
settings.register_profile("shrunk", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("thorough", settings.get_profile("shrunk"), phases=FOUND, print_blob=True)
settings.register_profile("long", max_examples=1_000, deadline=None)
settings.register_profile("planted", settings.get_profile("shrunk"), phases=[Phase.generate])
settings.load_profile("thorough" if "CI" in os.environ else "quick")  # noqa: TID251


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Schemathesis' plugin takes two seconds to load: only the files that use it wait for it."""
    if module_path.name in USE_SCHEMATHESIS:
        from schemathesis.pytest import plugin

        if not parent.config.pluginmanager.is_registered(plugin):
            parent.config.pluginmanager.register(plugin, "schemathesis")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The property tests take millions of steps: measuring coverage doubles their time, and others
    run the same code.
    """
    items.sort(key=_turn)
    seen: Counter[str] = Counter()
    for item in items:
        if _folder(item) == "property":
            item.add_marker(pytest.mark.no_cover)
        seen[item.nodeid] += 1
        if (number := seen[item.nodeid]) > 1:
            # Schemathesis names its tests of all routes alike; xdist knows tests by their names.
            item._id = replace(item.id, params=str(number))


def _turn(item: pytest.Item) -> int:
    """What takes longest first: else one worker would still be at it when the others have ended."""
    folder = _folder(item)
    return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


@pytest.hookimpl(optionalhook=True)  # of xdist, which `-p no:xdist` leaves out
def pytest_xdist_auto_num_workers() -> int:
    """One more than processors: a worker with an embedded AWS waits for it most of the time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadScopeScheduling":
    from tests.scheduling import OneWorkerPerStack

    return OneWorkerPerStack(config, log)
