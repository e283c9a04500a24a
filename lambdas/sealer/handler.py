"""Sealer: signs a manifest of what is new in the log, every night and when a person calls it.

Input     the scheduler's event, or a person's; the sealer ignores it
Output    the manifests written, how many objects they seal, and the odd keys of the log
Retries   safe: a manifest is written once, and the next run goes on where the last one ended
Errors    TransientError; IntegrityError if the sealer did not write the last manifest, or one is
          missing: the error names it, and nothing is sealed until a person has settled the case
"""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.manifests import LogVersions, ManifestBucket, SigningKey
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import SealerSettings
from lambdas.sealer.sealing import seal_new

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MARGIN_MS = 120_000  # a manifest takes less time than this


@cache
def _settings() -> SealerSettings:
    return SealerSettings.load()


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    settings = _settings()
    try:
        run = seal_new(
            LogVersions(client("s3"), settings.log_bucket),
            ManifestBucket(client("s3"), settings.manifest_bucket),
            SigningKey(client("kms"), settings.signer_arn),
            now=utc_now(),
            settled_s=settings.settled_s,
            objects_max=settings.manifest_objects_max,
            has_time=lambda: context.get_remaining_time_in_millis() > _MARGIN_MS,
            tell=_tell,
        )
    except IntegrityError as error:
        logger.error("the last manifest cannot be trusted", extra={"reason": str(error)})
        metrics.add_metric(name="LogTampered", unit="Count", value=1)
        raise
    metrics.add_metric(name="ObjectsSealed", unit="Count", value=run.objects)
    metrics.add_metric(name="ObjectsNotSealed", unit="Count", value=run.left)
    return asdict(run)


def _tell(keys: Sequence[str], unaccounted: int = 0) -> None:
    """Writes the metric at once: it would be lost at the end if the function timed out."""
    if unaccounted:
        logger.error(
            "the number of log objects differs from the number sealed",
            extra={"unaccounted": unaccounted},
        )
    for key in keys:
        logger.error("the log holds flawed objects or foreign keys", extra={"key": key})
    tampered = len(keys) + abs(unaccounted)
    metrics.add_metric(name="LogTampered", unit="Count", value=tampered)
    metrics.flush_metrics()
