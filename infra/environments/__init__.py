"""One settings file per environment, found by the environment's name."""

from infra.environments import live, local, test
from infra.environments.settings import EnvironmentSettings

ENVIRONMENTS = {
    settings.name: settings for settings in (local.SETTINGS, test.SETTINGS, live.SETTINGS)
}


def environment_named(name: str) -> EnvironmentSettings:
    if name not in ENVIRONMENTS:
        raise SystemExit(f"no environment {name!r}; there are {', '.join(sorted(ENVIRONMENTS))}")
    return ENVIRONMENTS[name]
