"""Stacks whose emulator is killed, hangs, is interrupted or cannot be deployed to."""

import json
import os
import signal
import subprocess

import pytest

from falcon_balances.cli.embedded import assembly, process
from falcon_balances.cli.embedded import stack as embedded
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.errors import AwsError
from tests.e2e.local_calls import processes_of, status_of, wait_until
from tests.e2e.local_stack import FALCON, free_port


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
