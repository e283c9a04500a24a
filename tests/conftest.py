"""What every test runs under: quiet logs, and no metrics on standard output."""

import os

from hypothesis import Phase, settings

os.environ |= {  # noqa: TID251 - before the functions under test are imported
    "LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "FalconBalances",
    "POWERTOOLS_SERVICE_NAME": "test",
}

# How thorough the property test of the whole path is; other property tests say it themselves.
settings.register_profile("quick", max_examples=200, deadline=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=10_000, deadline=None)
# To see whether a planted fault is found: no time is spent on making the example smaller.
settings.register_profile("planted", settings.get_profile("thorough"), phases=[Phase.generate])
settings.load_profile("thorough" if "CI" in os.environ else "quick")  # noqa: TID251
