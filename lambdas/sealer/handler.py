"""Sealer: every night signs a manifest of what is new in the log; and whenever it is called.

Input     the scheduler's event, or a person's; it is not looked at
Output    manifests written, objects sealed, and what was odd about the log
Retries   safe: a manifest is written once, and the next run goes on where the last one ended
Errors    TransientError; IntegrityError where the last manifest is not as it was written
"""

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.manifests import LogVersions, ManifestBucket, SigningKey
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import SealerSettings
from lambdas.sealer.sealing import newest_to_seal, seal_new

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MARGIN_MS = 120_000  # a manifest takes less than that


@cache
def _settings() -> SealerSettings:
    return SealerSettings.load()


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    settings = _settings()
    run = seal_new(
        LogVersions(client("s3"), settings.log_bucket),
        ManifestBucket(client("s3"), settings.manifest_bucket),
        SigningKey(client("kms"), settings.signer_arn),
        until=newest_to_seal(utc_now(), settings.settled_s),
        objects_max=settings.manifest_objects_max,
        has_time=lambda: context.get_remaining_time_in_millis() > _MARGIN_MS,
    )
    metrics.add_metric(name="ObjectsSealed", unit="Count", value=run.objects)
    metrics.add_metric(name="ObjectsNotSealed", unit="Count", value=run.left)
    tampered = len(run.odd) + len(run.flawed) + abs(run.unaccounted)
    metrics.add_metric(name="LogTampered", unit="Count", value=tampered)
    if run.unaccounted:
        logger.error("other objects than were sealed", extra={"unaccounted": run.unaccounted})
    for key in [*run.odd, *run.flawed]:
        logger.error("the log holds what it should not", extra={"key": key})
    return asdict(run)
