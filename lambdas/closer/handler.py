"""Closer: closes the days that are over, balance by balance (design §7).

Input     the scheduler's event, which is ignored
Output    nothing
Retries   safe: closings are written if absent, and the closed day moves forward only; a run whose
          time is over is continued by the next one
Errors    TransientError; IntegrityError if a day has another closing already, if a balance moved on
          a day according to the journal but not according to its quarters, or if a page of the
          journal is missing: the error names balance or page, and no later day is closed until a
          person has settled the case. Readers read the quarters of days that are not closed
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.journal_moves import JournalMovedBalances
from falcon_balances.adapters.listed_marks import DynamoMarkReads
from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.adapters.merchant_past import DynamoPastReads
from falcon_balances.adapters.stream_progress import DynamoStreamProgress
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.observability import metrics
from falcon_balances.settings import CloserSettings
from lambdas.closer.checking import ClosingChecks
from lambdas.closer.closing import CloserPorts, close_days

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MARGIN_MS = 60_000  # one balance, or a quarter of the journal, takes less time than this


@cache
def _settings() -> CloserSettings:
    return CloserSettings.load()


def _checks() -> ClosingChecks:
    settings, dynamodb = _settings(), client("dynamodb")
    store = DynamoBalanceStore(dynamodb, settings.balances_table)
    log = S3TransactionLog(client("s3"), settings.log_bucket)

    def reads_of(merchant_id: str) -> DynamoMarkReads:
        return DynamoMarkReads(dynamodb, settings.balances_table, merchant_id)

    return ClosingChecks(
        DynamoMerchantDirectory(dynamodb, settings.context_table),
        lambda: LogCheck(store, log, reads_of),
    )


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], context: "LambdaContext") -> None:
    table, dynamodb = _settings().balances_table, client("dynamodb")
    progress = DynamoStreamProgress(dynamodb, table)
    journal = S3Journal(client("s3"), _settings().journal_bucket)

    def is_time_over() -> bool:
        return context.get_remaining_time_in_millis() < _MARGIN_MS

    written = close_days(
        CloserPorts(
            progress.as_of,
            DynamoClosings(dynamodb, table),
            JournalMovedBalances(journal, progress, progress.as_of, is_time_over),
            lambda merchant_id: DynamoPastReads(dynamodb, table, merchant_id),
            is_time_over,
            logged=_checks().logged,
        )
    )
    metrics.add_metric(name="ClosingsWritten", unit="Count", value=written)
