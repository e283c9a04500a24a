"""`falcon local`: up, down, status, and everything that can stand in their way."""

import json
import socket
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from falcon_balances.cli.embedded import process
from tests.e2e.local_calls import get, processes_of, status_of


def test_status_of_a_stack_that_is_up(local_stack):
    code, facts, message = status_of(local_stack)
    assert (code, message) == (0, "")
    assert facts["up"] is True
    assert facts["port"] == local_stack.port
    assert facts["endpoint_url"] == f"http://127.0.0.1:{local_stack.port}"
    assert process.identity_of(facts["pid"])


def test_a_second_up_changes_nothing_and_says_so(local_stack):
    before = local_stack.home.document_file.read_bytes()
    done = local_stack.falcon("local", "up", "--detach")
    assert done.returncode == 0
    assert "already up" in done.stderr
    assert local_stack.home.document_file.read_bytes() == before


def test_a_second_up_in_the_foreground_returns_at_once(local_stack):
    assert local_stack.falcon("local", "up").returncode == 0


def test_everything_that_the_document_names_is_there(stack):
    stack.client("s3").head_bucket(Bucket=stack.log_bucket)
    stack.client("s3").head_bucket(Bucket=stack.quarantine_bucket)
    for table in (stack.balances_table, stack.claims_table, stack.context_table):
        described = stack.client("dynamodb").describe_table(TableName=table)
        assert described["Table"]["TableStatus"] == "ACTIVE"
    stack.client("kinesis").describe_stream_summary(StreamName=stack.stream)
    for stage in ("confirmed", "reconciled"):
        attributes = stack.client("sns").get_topic_attributes(TopicArn=stack.topics[stage])
        assert int(attributes["Attributes"]["SubscriptionsConfirmed"]) == 1
        for url in (stack.queues[stage].url, stack.queues[stage].dlq_url):
            stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    assert stack.client("sts").get_caller_identity()["Account"] == stack.account_id


def test_the_document_is_for_its_owner_only(local_stack):
    assert local_stack.home.document_file.stat().st_mode & 0o777 == 0o600
    assert local_stack.folder.stat().st_mode & 0o777 == 0o700


def test_an_unknown_key_is_refused_because_iam_is_on(stack):
    import dataclasses

    stranger = dataclasses.replace(stack, access_key_id="AKIAIOSFODNN7EXAMPLE")
    with pytest.raises(ClientError):
        stranger.client("dynamodb").list_tables()


def test_the_emulator_listens_on_the_loopback_only(local_stack):
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A"}
    port = f"{local_stack.port:04X}"
    assert {each for each in listening if each.endswith(f":{port}")} == {f"0100007F:{port}"}


def test_the_api_answers_under_its_local_name(stack):
    assert get(f"{stack.api_url}/v1/merchants/m-100/balances")[0] == 401


def test_a_token_alone_on_stdout_passes_the_authorizer_and_a_tampered_one_does_not(stack, falcon):
    done = falcon("token", "m-100")
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.removesuffix("\n")
    assert token.count(".") == 2
    assert not set(token) & set(" \n")
    url = f"{stack.api_url}/v1/merchants/m-100/balances"
    assert get(url, Authorization=f"Bearer {token}")[0] != 401
    assert get(url, Authorization=f"Bearer {token[:-8]}AAAAAAAA")[0] == 401


def test_the_token_of_a_merchant_who_has_one_works_too(falcon):
    for _ in range(2):
        done = falcon("token", "m:twice", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["merchant_id"] == "m:twice"


def test_a_taken_port_starts_nothing(new_home):
    stack = new_home()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", stack.port))
        taken.listen()
        done = stack.falcon("local", "up", "--detach", "--port", str(stack.port))
    assert done.returncode == 4
    assert f"port {stack.port}" in done.stderr
    assert "nothing was started" in done.stderr
    assert status_of(stack)[0] == 4
    assert not stack.home.pid_file.exists()


def test_down_without_up_is_fine_and_leaves_no_folder(new_home):
    stack = new_home()
    done = stack.falcon("local", "down")
    assert (done.returncode, done.stdout) == (0, "")
    assert not stack.folder.exists()


def test_a_stack_of_its_own_stands_beside_another_and_starts_empty_each_time(stack, fresh_stack):
    own = fresh_stack()
    first = own.target
    assert first.endpoint_url != stack.endpoint_url
    first.client("s3").put_object(Bucket=first.log_bucket, Key="left", Body=b"behind")
    listed = stack.client("s3").list_objects_v2(Bucket=stack.log_bucket, Prefix="left")
    assert listed["KeyCount"] == 0

    own.down()
    code, facts, message = status_of(own)
    assert (code, facts["up"], facts["pid"]) == (4, False, None)
    assert "falcon local up" in message
    assert not own.home.document_file.exists()
    assert processes_of(own.home) == []

    second = own.up().target
    assert second.client("s3").list_objects_v2(Bucket=second.log_bucket)["KeyCount"] == 0
    assert second.secret_access_key != first.secret_access_key
