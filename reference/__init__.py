"""Makes the API's reference: its OpenAPI document, examples and page."""

import os


def quiet() -> None:
    """Keeps log lines out of the output. Must be called before the functions are imported."""
    os.environ |= {  # noqa: TID251 - Powertools reads them when it is imported
        "LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_SERVICE_NAME": "reference",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_METRICS_NAMESPACE": "FalconBalances",
    }
