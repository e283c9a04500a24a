"""Reconciler: compares bank statements with the log every morning.

Input     the scheduler's event, which is ignored
Output    numbers of matched and open items; a report for each account, beside its bank statements
Retries   safe: no state is kept; another run on the same day replaces the day's report
Errors    TransientError; the alarm rings then too, because it misses the metric
"""

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.bank_statements import BankStatementBucket
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.log_days import LogDays
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import ReconcilerSettings
from lambdas.reconciler.reconciling import reconcile_all

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def _settings() -> ReconcilerSettings:
    return ReconcilerSettings.load()


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    settings = _settings()
    run = reconcile_all(
        BankStatementBucket(client("s3"), settings.bank_statement_bucket),
        LogDays(client("s3"), settings.log_bucket),
        today=utc_now().date(),
        days=settings.days,
        look_back_days=settings.look_back_days,
    )
    metrics.add_metric(name="StatementLinesMatched", unit="Count", value=run.matched)
    # Items that waiting does not explain: an alarm of the stack watches this metric.
    not_reconciled = run.overdue + run.invalid + len(run.flawed)
    metrics.add_metric(name="NotReconciled", unit="Count", value=not_reconciled)
    for key in run.flawed:
        logger.error("the log holds flawed objects or foreign keys", extra={"key": key})
    if not_reconciled:
        logger.error("not reconciled", extra={"reports": run.reports, "overdue": run.overdue})
    return asdict(run)
