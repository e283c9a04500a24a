"""The environment of every measurement: quiet functions, no credentials, the template's sizes."""

import os
from dataclasses import dataclass
from typing import Final

REGION: Final = "eu-central-1"


def prepare() -> None:
    """Must come before the functions are imported: Powertools reads its variables only then."""
    environment = os.environ  # noqa: TID251 - the process's own, before anything reads it
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        environment.pop(name, None)
    environment |= {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_METRICS_NAMESPACE": "FalconBalances",
        "POWERTOOLS_SERVICE_NAME": "bench",
    }


def inherited(**changes: str) -> dict[str, str]:
    """The environment for a subprocess."""
    return os.environ | changes  # noqa: TID251 - handed on, not read


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """Batch sizes from an environment's template; `shards` on demand: those of a new stream."""

    environment: str
    queue_messages: int
    stream_records: int
    shards: int
    chunk_budget_bytes: int


_ON_DEMAND_SHARDS: Final = 4  # of a new on-demand stream


def batch_sizes_of(environment: str) -> BatchSizes:
    from infra.environments import environment_named  # noqa: PLC0415 - starts CDK's Node process
    from infra.parts.stage import CHUNK_BUDGET_BYTES  # noqa: PLC0415

    settings = environment_named(environment)
    return BatchSizes(
        environment=environment,
        queue_messages=settings.queue.batch_size,
        stream_records=settings.stream.batch_size,
        shards=settings.stream.shards or _ON_DEMAND_SHARDS,
        chunk_budget_bytes=CHUNK_BUDGET_BYTES,
    )
