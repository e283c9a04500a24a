"""Names of an environment: out of the stacks' outputs, into `local.json`, and back."""

import json
import os

import pytest
from botocore.exceptions import ClientError

from falcon_balances.cli.embedded import process
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.target import find_target, local_target, target_from_outputs

OUTPUTS = {
    "LogBucket": "log",
    "QuarantineBucket": "quarantine",
    "BalancesTable": "balances",
    "ClaimsTable": "event-claims",
    "ContextTable": "contexts",
    "Stream": "stream",
    "UserPoolId": "pool",
    "ClientId": "client",
    "ApiUrl": "http://127.0.0.1:4566/_aws/execute-api/abc/$default",
    "TopicConfirmed": "arn:confirmed",
    "TopicReconciled": "arn:reconciled",
    "QueueConfirmedUrl": "http://q/confirmed",
    "QueueReconciledUrl": "http://q/reconciled",
    "DlqConfirmedUrl": "http://q/confirmed-dlq",
    "DlqReconciledUrl": "http://q/reconciled-dlq",
}


def make(outputs=OUTPUTS):
    return target_from_outputs(
        outputs,
        env="local",
        endpoint_url="http://127.0.0.1:4566",
        region="eu-central-1",
        account_id="000000000000",
        access_key_id="FALCONKEY",
        secret_access_key="secret",
    )


def test_the_document_has_exactly_the_keys_of_the_design():
    document = make().as_document()
    assert list(document) == [
        "endpoint_url",
        "region",
        "account_id",
        "access_key_id",
        "secret_access_key",
        "api_url",
        "topics",
        "queues",
        "log_bucket",
        "quarantine_bucket",
        "balances_table",
        "claims_table",
        "context_table",
        "stream",
        "user_pool_id",
        "client_id",
    ]
    assert document["topics"] == {"confirmed": "arn:confirmed", "reconciled": "arn:reconciled"}
    assert document["queues"]["confirmed"] == {
        "url": "http://q/confirmed",
        "dlq_url": "http://q/confirmed-dlq",
    }


def test_the_document_gives_the_same_target_back(tmp_path):
    home = Home(tmp_path)
    pid = os.getpid()
    home.pid_file.write_text(
        json.dumps({"pid": pid, "identity": process.identity_of(pid), "port": 4566})
    )
    home.write_document(make().as_document())
    assert local_target(home) == make()


def test_the_document_is_for_its_owner_only(tmp_path):
    home = Home(tmp_path)
    home.write_document(make().as_document())
    assert home.document_file.stat().st_mode & 0o777 == 0o600


def test_the_secret_does_not_show_when_a_target_is_printed():
    assert "secret'" not in repr(make())


def test_a_missing_output_is_named():
    with pytest.raises(AwsError, match="no output Stream"):
        make({name: value for name, value in OUTPUTS.items() if name != "Stream"})


def test_a_stage_that_is_not_built_is_unknown():
    with pytest.raises(InvalidInputError, match="no topic for stage payout"):
        make().topic("payout")


def test_a_local_client_ignores_the_profile_and_the_proxy_of_the_shell(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = make().client("sqs")
    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert client.meta.config.proxies == {}
    assert make().client("stepfunctions").meta.config.inject_host_prefix is False


def test_a_client_is_made_once():
    target = make()
    assert target.client("sqs") is target.client("sqs")


@pytest.mark.parametrize("name", ["", "Live", "a b", "../x", "x" * 30])
def test_an_impossible_environment_is_refused_before_aws_is_asked(name):
    with pytest.raises(InvalidInputError):
        find_target(name)


class Account:
    """A session of an account in which the given stacks stand."""

    region_name = "eu-west-1"

    def __init__(self, stacks):
        self.stacks = stacks

    def client(self, service):
        return self

    def get_caller_identity(self):
        return {"Account": "111122223333"}

    def describe_stacks(self, StackName):  # noqa: N803 - boto3's spelling
        if StackName not in self.stacks:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "x")
        outputs = self.stacks[StackName]
        return {
            "Stacks": [
                {"Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()]}
            ]
        }


def test_a_real_environment_is_read_from_the_outputs_of_both_stacks(monkeypatch):
    names = list(OUTPUTS.items())
    account = Account(
        {
            "falcon-balances-test-data": dict(names[:8]),
            "falcon-balances-test-pipeline": dict(names[8:]),
        }
    )
    monkeypatch.setattr("falcon_balances.cli.target.account_session", lambda: account)
    target = find_target("test")
    assert (target.env, target.endpoint_url, target.account_id) == ("test", None, "111122223333")
    assert target.topics == make().topics
    assert target.access_key_id is None


def test_an_environment_that_is_not_deployed_is_unknown(monkeypatch):
    monkeypatch.setattr("falcon_balances.cli.target.account_session", lambda: Account({}))
    with pytest.raises(
        InvalidInputError, match="stack falcon-balances-test-data does not exist in eu-west-1"
    ):
        find_target("test")
