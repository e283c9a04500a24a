"""Starts the emulator's process, recognises it later, and stops it."""

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

# The emulators that this process started: as their parent, it must reap them after stopping.
_children: dict[int, "subprocess.Popen[bytes]"] = {}


@dataclass(frozen=True)
class RootKey:
    """Created anew by every `up`; only the emulator and `local.json` have it."""

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
    """The process's start time and boot, to tell it from another process with the same pid.

    None if no such process exists, or if it has ended and only waits to be reaped.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _identity_from_ps(pid)
    try:
        # The second field, the program's name in parentheses, can contain any character.
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
    """The reason why nobody can listen on the port now; None if it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Otherwise a stopped emulator's connections in TIME_WAIT make the port look taken.
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
    """Starts the emulator in its own session, and waits until it answers.

    The pid file is written before waiting, so the emulator can be found even if `up` is killed.
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
    except BaseException:  # also Ctrl-C at any time
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
        # The emulator uses the key pair in its environment as that of the account's root.
        AWS_ACCESS_KEY_ID=key.access_key_id,
        AWS_SECRET_ACCESS_KEY=key.secret_access_key,
        TMPDIR=str(home.temp),
        STATE_DIR=str(home.temp / "state"),
        S3_DATA_DIR=str(home.temp / "s3"),
        # Off: these listen on fixed ports, which only one stack on a machine can have.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PYTHONUNBUFFERED="1",
        PYTHONPATH=str(_WORKER_SITE),
    )


def read(home: Home) -> Emulator | None:
    """The emulator in the pid file, running or not; None without a readable pid file."""
    try:
        return Emulator(**json.loads(home.pid_file.read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def answers(port: int) -> bool:
    """Whether an emulator answers on the port. Uses neither boto3 nor a proxy."""
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
    """Ends the emulator and its functions. Does nothing if it has already ended."""
    if is_alive(emulator):
        _signal(emulator.pid, signal.SIGTERM)
        _signal(emulator.pid, signal.SIGCONT)  # a suspended process does not see SIGTERM
        if not _wait(lambda: not is_alive(emulator), _STOP_TIMEOUT_S):
            _signal(emulator.pid, signal.SIGKILL)
            _wait(lambda: not is_alive(emulator), _STOP_TIMEOUT_S)
        # The functions' processes are in its group, whose number stays valid while one is left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(emulator.pid, signal.SIGKILL)
        # A killed process counts as ended even if its last threads still hold the port.
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
