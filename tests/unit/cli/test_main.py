"""How each way to end a command becomes an exit code and one message on stderr."""

import subprocess
import sys

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
)

from falcon_balances.cli import errors, main
from falcon_balances.domain.errors import (
    IntegrityError,
    RejectedOperation,
    RejectionCode,
    TransientError,
)

DENIED = ClientError(
    {"Error": {"Code": "AccessDenied", "Message": "no s3:PutObject"}}, operation_name="PutObject"
)


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["falcon", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code


@pytest.fixture
def failing(monkeypatch):
    """`falcon token m` with a chosen error inside."""

    def run_with(error):
        def find_target():
            raise error

        monkeypatch.setattr("falcon_balances.cli.token.find_target", find_target)
        return run(monkeypatch, "token", "m")

    return run_with


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.InvalidInputError("no such merchant"), 1, "error: no such merchant\n"),
        (errors.MismatchError("2 differ"), 3, "error: 2 differ\n"),
        (errors.AwsError("timed out"), 4, "error: timed out\n"),
        (DENIED, 4, "error: AWS refused PutObject: AccessDenied: no s3:PutObject\n"),
        (
            EndpointConnectionError(endpoint_url="http://x"),
            4,
            'error: AWS cannot be reached: Could not connect to the endpoint URL: "http://x"\n',
        ),
        (TransientError("throttled"), 4, "error: throttled\n"),
        (IntegrityError("log and table differ"), 3, "error: log and table differ\n"),
        (
            RejectedOperation(RejectionCode.AMOUNT, "amount: not above zero"),
            1,
            "error: E_AMOUNT: amount: not above zero\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_each_error_has_its_exit_code_and_one_message(failing, capsys, error, code, message):
    assert failing(error) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == message


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), NoRegionError(), ConnectTimeoutError(endpoint_url="http://x")]
)
def test_whatever_botocore_raises_is_an_aws_failure(error):
    assert errors.ending_of(error).exit_code == 4


def test_the_unforeseen_is_5_with_a_hint_and_without_its_text(failing, capsys):
    assert failing(ValueError("card 4111111111111111")) == 5
    shown = capsys.readouterr().err
    assert "ValueError" in shown
    assert "FALCON_DEBUG=1" in shown
    assert "4111" not in shown
    assert "Traceback" not in shown


def test_wrong_parameters_of_a_call_are_our_mistake_and_stay_out_of_the_message(failing, capsys):
    assert failing(ParamValidationError(report="Body: 4111111111111111")) == 5
    assert "4111" not in capsys.readouterr().err


def test_the_traceback_is_there_for_who_asks(failing, capsys, monkeypatch):
    monkeypatch.setenv("FALCON_DEBUG", "1")
    assert failing(ValueError("why")) == 5
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["local", "up", "--port", "0"], ["local", "up", "--port", "x"], []]
)
def test_wrong_usage_is_2(monkeypatch, capsys, arguments):
    assert run(monkeypatch, *arguments) == 2


@pytest.mark.parametrize("merchant_id", ["", "../x", "-m", "a" * 65, "m 1", "m\n", "ü"])
def test_a_token_for_what_is_no_merchant_id_is_1(monkeypatch, capsys, merchant_id):
    assert run(monkeypatch, "token", "--", merchant_id) == 1
    assert capsys.readouterr().out == ""


def test_a_command_on_a_stack_that_is_down_is_4(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("FALCON_HOME", str(tmp_path / "home"))
    assert run(monkeypatch, "token", "m-100") == 4
    assert capsys.readouterr().err == "error: no embedded AWS is running: run falcon local up\n"


def test_help_and_version_end_well(monkeypatch, capsys):
    assert run(monkeypatch, "--help") == 0
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.endswith("0.1.0\n")


def test_the_command_line_starts_without_what_is_slow_to_import():
    slow = {"boto3", "botocore", "aws_cdk", "rich.progress", "pydantic", "ministack"}
    script = (
        "import sys, falcon_balances.cli.main; "
        f"sys.exit(','.join(sorted({slow!r} & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
