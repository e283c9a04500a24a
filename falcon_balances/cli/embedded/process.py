"""The emulator as a process: started, recognised again, stopped."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from falcon_balances.cli import environment
from falcon_balances.cli.embedded.home import Home, write_private
from falcon_balances.cli.errors import AwsError

HOST = "127.0.0.1"
ACCOUNT_ID = "000000000000"  # the emulator's, for every key that is not itself twelve digits

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 5.0
_POLL_S = 0.03
_HEALTH_TIMEOUT_S = 3.0
_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_HTTP_OK = 200
_WORKER_SITE = Path(__file__).with_name("worker_site")

# The emulators that this process started: whoever stops one reaps it.
_children: dict[int, "subprocess.Popen[bytes]"] = {}


@dataclass(frozen=True)
class RootKey:
    """Made anew by every `up`; known to the emulator and to `local.json` alone."""

    access_key_id: str
    secret_access_key: str

    @classmethod
    def generate(cls) -> "RootKey":
        suffix = "".join(secrets.choice(_KEY_ALPHABET) for _ in range(14))
        return cls("FALCON" + suffix, secrets.token_urlsafe(30))


@dataclass(frozen=True)
class Emulator:
    pid: int
    identity: str
    port: int

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"


def identity_of(pid: int) -> str | None:
    """When the process began, so that a pid given to another program is told apart.

    None when there is no such process; one that has ended and waits to be reaped is none.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _identity_from_ps(pid)
    try:
        # The second field is the program's name in parentheses and may hold anything.
        fields = stat.read_text("utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot}:{started_ticks}"


def _identity_from_ps(pid: int) -> str | None:
    # macOS has no /proc.
    shown = subprocess.run(  # noqa: S603 - our own arguments
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return None if not shown or shown.startswith("Z") else shown.partition(" ")[2].strip()


def port_problem(port: int) -> str | None:
    """Why nobody can listen there now; None when it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without this, what a stopped emulator left in TIME_WAIT looks like a taken port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as err:
            return err.strerror or str(err)
    return None


def require_free_port(port: int) -> None:
    problem = port_problem(port)
    if problem is not None:
        raise AwsError(
            f"port {port} of {HOST} cannot be used ({problem}); nothing was started. "
            "Choose another one with --port"
        )


def start(home: Home, port: int, key: RootKey, region: str) -> Emulator:
    """Start the emulator in a session of its own and wait until it answers.

    The pid file is written before the wait, so that an `up` that is killed leaves a trace.
    """
    home.temp.mkdir(mode=0o700, exist_ok=True)
    if home.log_file.exists():
        home.log_file.replace(home.log_file.with_suffix(".log.1"))
    with home.log_file.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            cwd=home.temp,
            env=_emulator_environment(home, port, key, region),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[child.pid] = child
    emulator = Emulator(child.pid, identity_of(child.pid) or "", port)
    try:
        write_private(home.pid_file, json.dumps(asdict(emulator)) + "\n")
        _wait_for_answer(home, child, port)
    except BaseException:  # Ctrl-C as well, from the first moment on
        stop(emulator)
        raise
    return emulator


def _wait_for_answer(home: Home, child: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not answers(port):
        if child.poll() is not None:
            raise AwsError(f"the emulator ended while starting; see {home.log_file}")
        if time.monotonic() > deadline:
            raise AwsError(f"the emulator did not answer in time; see {home.log_file}")
        time.sleep(_POLL_S)


def _emulator_environment(home: Home, port: int, key: RootKey, region: str) -> dict[str, str]:
    return environment.child_environment(
        AUTH="true",
        BIND_HOST=HOST,
        GATEWAY_PORT=str(port),
        MINISTACK_REGION=region,
        MINISTACK_ACCOUNT_ID=ACCOUNT_ID,
        # The emulator takes the key pair of its own environment for the account's root.
        AWS_ACCESS_KEY_ID=key.access_key_id,
        AWS_SECRET_ACCESS_KEY=key.secret_access_key,
        TMPDIR=str(home.temp),
        STATE_DIR=str(home.temp / "state"),
        S3_DATA_DIR=str(home.temp / "s3"),
        # Listeners on fixed ports, which two stacks on one machine would fight for.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PYTHONUNBUFFERED="1",
        PYTHONPATH=str(_WORKER_SITE),
    )


def read(home: Home) -> Emulator | None:
    """The emulator that the pid file names, whether it still runs or not."""
    try:
        return Emulator(**json.loads(home.pid_file.read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def answers(port: int) -> bool:
    """Whether an emulator answers there; asked without boto3 and past any proxy."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == _HTTP_OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_alive(emulator: Emulator) -> bool:
    return bool(emulator.identity) and identity_of(emulator.pid) == emulator.identity


def stop(emulator: Emulator) -> None:
    """End the emulator and the functions it runs. One that is gone already is left in peace."""
    if is_alive(emulator):
        _signal(emulator.pid, signal.SIGTERM)
        _signal(emulator.pid, signal.SIGCONT)  # a suspended process would not see the first
        if not _wait(lambda: not is_alive(emulator), _STOP_TIMEOUT_S):
            _signal(emulator.pid, signal.SIGKILL)
            _wait(lambda: not is_alive(emulator), _STOP_TIMEOUT_S)
        # The functions' processes share its group, which keeps its number while one is left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(emulator.pid, signal.SIGKILL)
        # A killed process counts as gone while its last threads still hold the port.
        _wait(lambda: port_problem(emulator.port) is None, _STOP_TIMEOUT_S)
    if child := _children.pop(emulator.pid, None):
        child.wait(_STOP_TIMEOUT_S)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
