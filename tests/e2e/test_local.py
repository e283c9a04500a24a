"""`falcon local`: up, down, status, and everything that can stand in their way."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from falcon_balances.cli.embedded import assembly, process
from falcon_balances.cli.embedded import stack as embedded
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.errors import AwsError
from tests.e2e.local_stack import FALCON, free_port


def get(url, **headers):
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    try:
        connection.request("GET", address.path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def status_of(stack):
    done = stack.falcon("local", "status", "--json")
    return done.returncode, json.loads(done.stdout), done.stderr


def wait_until(condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(home):
    """Whatever runs with this home's temporary folder in its environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            if str(home.temp).encode() in file.read() and process.identity_of(int(pid)):
                found.append(int(pid))
    return found


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


def test_a_killed_emulator_is_recognised_and_up_starts_anew(fresh_stack):
    stack = fresh_stack()
    _, facts, _ = status_of(stack)
    os.kill(facts["pid"], signal.SIGKILL)
    wait_until(lambda: process.identity_of(facts["pid"]) is None)

    code, after, message = status_of(stack)
    assert (code, after["up"]) == (4, False)
    assert f"process {facts['pid']} is gone" in message
    refused = stack.falcon("token", "m-100")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "falcon local up" in refused.stderr

    stack.up()
    assert status_of(stack)[0] == 0


def test_a_stale_pid_of_another_program_is_said_and_harms_nobody(fresh_stack):
    stack = fresh_stack()
    emulator = process.read(stack.home)
    assert emulator is not None
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        try:
            stale = json.loads(stack.home.pid_file.read_text()) | {"pid": other.pid}
            stack.home.pid_file.write_text(json.dumps(stale))
            code, _, message = status_of(stack)
            assert code == 4
            assert "another program" in message
            assert stack.falcon("local", "down").returncode == 0
            assert other.poll() is None
        finally:
            other.kill()
    process.stop(emulator)


def test_an_emulator_that_hangs_is_said_and_replaced(fresh_stack):
    stack = fresh_stack()
    pid = status_of(stack)[1]["pid"]
    os.kill(pid, signal.SIGSTOP)
    code, _, message = status_of(stack)
    assert code == 4
    assert "does not answer" in message
    stack.up()
    assert status_of(stack)[1]["pid"] != pid
    assert process.identity_of(pid) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_in_the_foreground_lasts_until_it_is_interrupted(new_home, number):
    stack = new_home()
    with subprocess.Popen(
        [FALCON, "local", "up", "--port", str(stack.port)],
        env=stack.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as foreground:
        wait_until(stack.home.document_file.exists, timeout_s=120)
        assert status_of(stack)[0] == 0
        foreground.send_signal(number)
        out, messages = foreground.communicate(timeout=60)
    assert (foreground.returncode, out) == (0, "")
    assert "Traceback" not in messages
    assert status_of(stack)[0] == 4
    assert processes_of(stack.home) == []


def test_an_up_that_is_interrupted_midway_leaves_nothing_running(new_home):
    stack = new_home()
    with subprocess.Popen(
        [FALCON, "local", "up", "--detach", "--port", str(stack.port)],
        env=stack.environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as starting:
        wait_until(stack.home.pid_file.exists, timeout_s=120)
        starting.send_signal(signal.SIGINT)
        messages = starting.communicate(timeout=60)[1]
    assert starting.returncode == 130
    assert "Traceback" not in messages
    assert not stack.home.pid_file.exists()
    assert processes_of(stack.home) == []


def test_two_ups_at_once_start_one_stack(new_home):
    stack = new_home()
    command = [str(FALCON), "local", "up", "--detach", "--json", "--port", str(stack.port)]
    started = [
        subprocess.Popen(command, env=stack.environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [json.loads(each.communicate(timeout=180)[0]) for each in started]
    assert [each.returncode for each in started] == [0, 0]
    assert answers[0]["pid"] == answers[1]["pid"]


def write_assembly(folder, resources):
    folder.mkdir()
    stack = {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": "toy.template.json"},
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"toy": stack}}))
    (folder / "toy.template.json").write_text(json.dumps({"Resources": resources}))
    return folder


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"Type": "AWS::CloudWatch::Alarm", "Properties": {}}, "Broken (AWS::CloudWatch::Alarm): "),
        ({"Type": "AWS::No::Such"}, "AWS refused CreateStack: ValidationError: "),
    ],
)
def test_a_deployment_that_fails_says_why_and_stops_the_emulator(
    tmp_path, monkeypatch, resource, reason
):
    folder = write_assembly(tmp_path / "cdk.out", {"Broken": resource})
    monkeypatch.setattr(assembly, "synthesize", lambda root, log: folder)
    home = Home(tmp_path / "home")
    with home.lock(), pytest.raises(AwsError) as failed:
        embedded.bring_up(home, free_port())
    assert reason in str(failed.value)
    assert f"its log: {home.log_file}" in str(failed.value)
    assert home.log_file.exists()
    assert process.read(home) is None
    assert processes_of(home) == []
