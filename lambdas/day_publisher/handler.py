"""Day publisher: describes a day that Athena has made, if its files are what the journal says.

Input     the listed day, and what Athena counted in the run's files
Output    the day as it is described: by another run, if that was first
Retries   safe: the description is written once; the list that Athena's table reads follows from it
Errors    TransientError; IntegrityError if the files have other segments, lines or rows than the
          journal, or if the day before is not the last made one: nothing is published
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.closed_day_files import ClosedDayFiles
from falcon_balances.contracts.making_days import PublishRequest
from falcon_balances.settings import DayPublisherSettings
from lambdas.day_publisher.publishing import publish_day

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def _settings() -> DayPublisherSettings:
    return DayPublisherSettings.load()


def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    request = PublishRequest.model_validate(event)
    said = publish_day(request, ClosedDayFiles(client("s3"), _settings().closed_bucket))
    return {"day": said.date, "segments": said.segments, "lines": said.lines}
