"""Sealer: signs a manifest of what is new in the journals, every night and when a person calls it.

Input     the scheduler's event, or a person's; the sealer ignores it
Output    the manifests written, how many objects they seal, and the keys of faulty objects
Retries   safe: a manifest is written once, and the next run goes on where the last one ended
Errors    TransientError; IntegrityError if a manifest or a journal page is missing, if the sealer
          did not write the last manifest, or if the reducer did not write a page: the error names
          the file, and nothing is sealed until a person has settled the case
"""

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.manifests import ManifestBucket, SigningKey
from falcon_balances.adapters.stream_progress import DynamoStreamProgress
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import SealerSettings
from lambdas.sealer.sealing import Faults, SealerPorts, seal_new

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MARGIN_MS = 120_000  # a manifest takes less time than this


@cache
def _settings() -> SealerSettings:
    return SealerSettings.load()


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    settings = _settings()
    progress = DynamoStreamProgress(client("dynamodb"), settings.balances_table)
    try:
        run = seal_new(
            settings.log_bucket,
            SealerPorts(
                progress,
                progress,
                S3Journal(client("s3"), settings.journal_bucket),
                ManifestBucket(client("s3"), settings.manifest_bucket),
                SigningKey(client("kms"), settings.signer_arn),
                _tell,
            ),
            objects_max=settings.manifest_objects_max,
            has_time=lambda: context.get_remaining_time_in_millis() > _MARGIN_MS,
        )
    except IntegrityError as error:
        logger.error(
            "a manifest or a page of a journal cannot be trusted", extra={"reason": str(error)}
        )
        metrics.add_metric(name="LogTampered", unit="Count", value=1)
        raise
    metrics.add_metric(name="ObjectsSealed", unit="Count", value=run.objects)
    metrics.add_metric(name="PagesNotSealed", unit="Count", value=run.left)
    return asdict(run)


def _tell(faults: Faults) -> None:
    """Writes the metric at once: it would be lost at the end if the function timed out."""
    for what, keys in faults._asdict().items():
        for key in keys:
            logger.error("an object of the log is faulty", extra={"key": key, "is": what})
    metrics.add_metric(name="LogTampered", unit="Count", value=sum(map(len, faults)))
    metrics.flush_metrics()
