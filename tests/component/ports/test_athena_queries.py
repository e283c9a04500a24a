"""Queries of Athena: answers in texts, and errors with Athena's reason."""

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from falcon_balances.adapters.athena import AthenaQueries
from falcon_balances.domain.errors import TransientError

ID = "11111111-2222-4333-8444-555555555555"
SELECT = "select merchant_id, count(*) from closed_days group by 1"


class Scripted:
    """A client that answers as written; every call must come, in this order."""

    def __init__(self):
        self.client = boto3.client("athena", region_name="eu-central-1")
        self.stubber = Stubber(self.client)
        self.waits = []

    def starts(self):
        said = {"QueryString": SELECT, "WorkGroup": "auditors"}
        self.stubber.add_response("start_query_execution", {"QueryExecutionId": ID}, said)

    def is_in(self, state, reason=None):
        status = {"State": state} | ({"StateChangeReason": reason} if reason else {})
        answer = {"QueryExecution": {"QueryExecutionId": ID, "Status": status}}
        self.stubber.add_response("get_query_execution", answer, {"QueryExecutionId": ID})

    def shows(self, *rows, after=None, then=None):
        asked = {"QueryExecutionId": ID} | ({"NextToken": after} if after else {})
        data = [{"Data": [{"VarCharValue": x} if x else {} for x in row]} for row in rows]
        answer = {"ResultSet": {"Rows": data}} | ({"NextToken": then} if then else {})
        self.stubber.add_response("get_query_results", answer, asked)

    def stops(self):
        self.stubber.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})

    def rows(self, wait=None):
        with self.stubber:
            found = list(AthenaQueries(self.client, "auditors", wait or self.waits.append)(SELECT))
        self.stubber.assert_no_pending_responses()
        return found


@pytest.fixture
def athena(aws):
    return Scripted()


def test_rows_come_from_all_pages_without_the_names_of_their_columns(athena):
    athena.starts()
    for state in ("QUEUED", "RUNNING", "SUCCEEDED"):
        athena.is_in(state)
    athena.shows(["merchant_id", "_col1"], ["m-1", "2"], then="next")
    athena.shows(["m-2", None], after="next")
    assert athena.rows() == [["m-1", "2"], ["m-2", None]]
    assert athena.waits == [0.2, 0.4]


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_query_that_fails_says_why(athena, state):
    athena.starts()
    athena.is_in(state, "Query exhausted resources")
    with pytest.raises(TransientError, match=f"{ID} of Athena {state}: Query exhausted resources"):
        athena.rows()


def test_a_query_that_never_ends_is_stopped_after_an_hour(athena):
    athena.starts()
    for _ in range(725):
        athena.is_in("RUNNING")
    athena.stops()
    with pytest.raises(TransientError, match="has not ended after an hour"):
        athena.rows()
    assert 3600 < sum(athena.waits) < 3610


def test_a_query_whose_caller_is_interrupted_is_stopped(athena):
    def interrupted(_):
        raise KeyboardInterrupt

    athena.starts()
    athena.is_in("RUNNING")
    athena.stops()
    with pytest.raises(KeyboardInterrupt):
        athena.rows(interrupted)


def test_a_workgroup_without_a_place_for_results_is_refused_in_aws_s_words(athena):
    said = "No output location provided"
    athena.stubber.add_client_error("start_query_execution", "InvalidRequestException", said)
    with pytest.raises(ClientError, match=said):
        athena.rows()
