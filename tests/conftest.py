"""What every test runs under: quiet logs, and no metrics on standard output."""

import os

os.environ |= {  # noqa: TID251 - before the functions under test are imported
    "LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "FalconBalances",
    "POWERTOOLS_SERVICE_NAME": "test",
}
