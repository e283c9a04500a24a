"""Reconciler: compares bank statements with the journals every morning, from where it ended.

Input     the scheduler's event: with `only_unfinished`, not of accounts that have the day's report
Output    numbers of matched and open items; a report for each account, beside its bank statements
Retries   safe: everything is written once and the comparisons last, so a run goes on where the last
          one that ended so did; another run on the same day replaces the day's report
Errors    TransientError; IntegrityError if a page of a journal is missing, or the reducer did not
          write it, or the reconciler its own files: the error names it, and no position moves until
          a person has settled the case. The alarm rings then too, because it misses the metric
"""

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.bank_statements import BankStatementBucket
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.comparison_files import ComparisonBucket
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.stream_progress import DynamoStreamProgress
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import ReconcilerSettings
from lambdas.reconciler.mornings import Morning
from lambdas.reconciler.reconciling import ReconcilerPorts, ReconcilerRun, reconcile_new

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MARGIN_MS = 120_000  # comparing what was read, and writing it, takes less time than this


@cache
def _settings() -> ReconcilerSettings:
    return ReconcilerSettings.load()


def _ports(settings: ReconcilerSettings) -> ReconcilerPorts:
    progress = DynamoStreamProgress(client("dynamodb"), settings.balances_table)
    return ReconcilerPorts(
        progress.as_of,
        progress,
        S3Journal(client("s3"), settings.journal_bucket),
        BankStatementBucket(client("s3"), settings.bank_statement_bucket),
        ComparisonBucket(client("s3"), settings.bank_statement_bucket),
    )


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    settings = _settings()
    try:
        run = reconcile_new(
            _ports(settings),
            Morning(
                utc_now().date(),
                settings.days,
                settings.look_back_days,
                only_unfinished=bool(event.get("only_unfinished")),
            ),
            lambda: context.get_remaining_time_in_millis() > _MARGIN_MS,
        )
    except IntegrityError as error:
        logger.error(
            "a page of a journal, or a file of the reconciler, cannot be trusted",
            extra={"reason": str(error)},
        )
        metrics.add_metric(name="LogTampered", unit="Count", value=1)
        raise
    _tell(run)
    return asdict(run)


def _tell(run: ReconcilerRun) -> None:
    """The alarm watches `NotReconciled`. A run that is not done says only what is wrong with the
    accounts that are done, so a morning that is never done rings too.
    """
    metrics.add_metric(name="StatementLinesMatched", unit="Count", value=run.matched)
    # Items that waiting does not explain.
    not_reconciled = run.overdue + run.invalid + len(run.flawed)
    if run.is_done or not_reconciled:
        metrics.add_metric(name="NotReconciled", unit="Count", value=not_reconciled)
    for key in run.flawed:
        logger.error("the journals hold flawed objects of the log", extra={"key": key})
    if not_reconciled:
        logger.error("not reconciled", extra={"reports": run.reports, "overdue": run.overdue})
