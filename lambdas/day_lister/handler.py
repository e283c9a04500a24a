"""Day lister: finds the first day that is closed and not made, and the journal pages it is made of.

Input     {"run"}: the name of the execution
Output    the day, its counts by the journal, and the SQL that makes it; is_done if there is none
Retries   safe: a run has one list of pages for a day, the same however often it is written
Errors    TransientError; IntegrityError for a page that is missing or that the reducer did not
          write: no later day is made until a person has settled the case
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.closed_day_files import ClosedDayFiles
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.journal_moves import JournalMovedBalances
from falcon_balances.adapters.stream_progress import DynamoStreamProgress
from falcon_balances.contracts.making_days import Listed, ListRequest
from falcon_balances.domain.journal import JournalPosition
from falcon_balances.observability import metrics
from falcon_balances.settings import DayListerSettings
from lambdas.day_lister.listing import ListerPorts, age_s, list_day, next_day

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def _settings() -> DayListerSettings:
    return DayListerSettings.load()


def _progress() -> DynamoStreamProgress:
    return DynamoStreamProgress(client("dynamodb"), _settings().balances_table)


def _ends() -> Mapping[str, JournalPosition]:
    as_of = _progress().as_of()
    return {} if as_of is None else _progress().ends(as_of)


def _ports() -> ListerPorts:
    bucket = _settings().journal_bucket
    journal = S3Journal(client("s3"), bucket)
    return ListerPorts(
        ClosedDayFiles(client("s3"), _settings().closed_bucket),
        journal,
        f"s3://{bucket}/",
        _ends,
        JournalMovedBalances(journal, _progress(), _progress().as_of).first_day,
        _settings().database,
    )


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    run, ports = ListRequest.model_validate(event).run, _ports()
    made = ports.files.newest()
    if made is not None:
        ports.files.show(made)  # an interrupted run can have described the day and not shown it
    closed = DynamoClosings(client("dynamodb"), _settings().balances_table).closed_day()
    day = next_day(made, closed.day, ports)
    metrics.add_metric(name="MadeDayAge", unit="Seconds", value=age_s(day, utc_now()))
    listed = None if day is None else list_day(day, run, made, ports)
    return Listed.of(listed).model_dump()
