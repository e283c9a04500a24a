"""Queries of Athena, one at a time."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from falcon_balances.domain.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import QueryExecutionStatusTypeDef

# Athena ends a SELECT itself after 30 minutes, unless the account has another quota.
# https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
_SECONDS_MAX: Final = 3600
_DELAY_MAX_S: Final = 5.0
_AT_WORK: Final = {"QUEUED", "RUNNING"}


class AthenaQueries:
    """Runs SELECTs in a workgroup, which says where results go."""

    def __init__(
        self, athena: "AthenaClient", workgroup: str, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._athena = athena
        self._workgroup = workgroup
        self._wait = wait

    def __call__(self, select: str) -> Iterator[Sequence[str | None]]:
        """The rows, all values as texts; a call for each thousand rows.

        Raises TransientError with Athena's reason if the query fails, or has not ended after an
        hour, and boto3's errors with AWS's words. A query that nobody waits for any more is
        stopped, because it costs money.
        """
        query_id = self._athena.start_query_execution(
            QueryString=select, WorkGroup=self._workgroup
        )["QueryExecutionId"]
        try:
            status = self._final_status(query_id)
        except BaseException:
            self._athena.stop_query_execution(QueryExecutionId=query_id)
            raise
        if status["State"] != "SUCCEEDED":
            reason = status.get("StateChangeReason", "no reason given")
            raise TransientError(f"query {query_id} of Athena {status['State']}: {reason}")
        return self._rows(query_id)

    def _final_status(self, query_id: str) -> "QueryExecutionStatusTypeDef":
        waited, delay = 0.0, 0.2
        while (status := self._status(query_id))["State"] in _AT_WORK:
            if waited > _SECONDS_MAX:
                raise TransientError(f"query {query_id} of Athena has not ended after an hour")
            self._wait(delay)
            waited, delay = waited + delay, min(delay * 2, _DELAY_MAX_S)
        return status

    def _status(self, query_id: str) -> "QueryExecutionStatusTypeDef":
        answer = self._athena.get_query_execution(QueryExecutionId=query_id)
        return answer["QueryExecution"]["Status"]

    def _rows(self, query_id: str) -> Iterator[Sequence[str | None]]:
        """The first row of the first page has the names of the columns."""
        pages = self._athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
        rows = (row for page in pages for row in page["ResultSet"]["Rows"])
        next(rows, None)
        for row in rows:
            yield [each.get("VarCharValue") for each in row["Data"]]
