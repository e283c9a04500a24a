"""Brings the embedded AWS up and down: emulator, stacks, and the document that names them."""

import re
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass

from falcon_balances.adapters.sessions import AwsClient, local_client
from falcon_balances.cli import environment, output
from falcon_balances.cli.embedded import assembly, deployment, process
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.embedded.process import Emulator, RootKey
from falcon_balances.cli.errors import EXIT_AWS, AwsError, ending_of
from falcon_balances.cli.target import Target, target_from_outputs

DEFAULT_PORT = 4566
_WATCH_S = 0.2

_API_URL = re.compile(r"(?:https?://)?(?P<id>[^./:]+)\.execute-api\.[^/]+(?P<stage>/[^/]+)?/?")


@dataclass(frozen=True)
class Status:
    """The state of a home; `problem` is empty exactly if the stack is complete and answers."""

    emulator: Emulator | None
    problem: str

    @property
    def up(self) -> bool:
        return not self.problem


def look(home: Home) -> Status:
    emulator = process.read(home)
    if emulator is None:
        problem = "no embedded AWS is running: run falcon local up"
    elif not process.is_alive(emulator):
        other = process.identity_of(emulator.pid) is not None
        fate = "now another program" if other else "gone (killed, or the machine was restarted)"
        problem = f"the pid file is stale, process {emulator.pid} is {fate}: run falcon local up"
    elif home.read_document() is None:
        problem = "the embedded AWS is not complete: run falcon local up"
    elif not process.answers(emulator.port):
        problem = f"process {emulator.pid} does not answer on port {emulator.port}"
    else:
        problem = ""
    return Status(emulator, problem)


def bring_up(home: Home, port: int) -> Emulator:
    """Starts the emulator and deploys; the caller holds the lock. After an error, nothing is left
    running.
    """
    root = assembly.checkout()
    # An `up` or an emulator that was killed does not clean up after itself.
    if take_down(home):
        output.note("the previous stack has ended or was incomplete; starting a new one")
    process.require_free_port(port)
    region = environment.local_region()
    with output.steps("embedded AWS") as step:
        step("synthesizing the template")
        stacks = assembly.read_stacks(
            assembly.synthesize(root, home.synth_log), process.ACCOUNT_ID, region
        )
        try:
            step("starting the emulator")
            key = RootKey.generate()
            emulator = process.start(home, port, key, region)
            step("deploying")
            target = _deploy(stacks, emulator, key, region)
            home.write_document(target.as_document())
        except BaseException as err:  # also Ctrl-C: an emulator without its stack is useless
            take_down(home)
            if not isinstance(err, Exception) or (why := ending_of(err)).exit_code != EXIT_AWS:
                raise
            message = f"{why.message}\nthe emulator was stopped; its log: {home.log_file}"
            raise AwsError(message) from err
    return emulator


def _deploy(
    stacks: list[assembly.StackArtifact], emulator: Emulator, key: RootKey, region: str
) -> Target:
    credentials = asdict(key)

    def client(service: str) -> AwsClient:
        return local_client(service, emulator.endpoint_url, region, **credentials)

    outputs = deployment.deploy(stacks, client)
    return target_from_outputs(
        outputs | {"ApiUrl": reachable_api_url(outputs, emulator)},
        env="local",
        endpoint_url=emulator.endpoint_url,
        region=region,
        account_id=process.ACCOUNT_ID,
        **credentials,
    )


def reachable_api_url(outputs: Mapping[str, str], emulator: Emulator) -> str:
    """The API's URL by path, because not every machine resolves the API's own host name."""
    address = _API_URL.fullmatch(outputs.get("ApiUrl", ""))
    if address is None:
        raise AwsError("the pipeline stack has no output ApiUrl that names an HTTP API")
    stage = address["stage"] or "/$default"
    return f"{emulator.endpoint_url}/_aws/execute-api/{address['id']}{stage}"


def take_down(home: Home) -> bool:
    """Stops the emulator and removes its files. Returns whether there was an emulator."""
    emulator = process.read(home)
    if emulator is not None:
        process.stop(emulator)
    home.clear()
    return emulator is not None


def interruptible() -> None:
    """Makes SIGTERM and SIGHUP end this process like Ctrl-C, so that nothing is left running.

    SIGINT is set too, because a shell starts background jobs that ignore it.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def watch(home: Home, emulator: Emulator) -> None:
    """Waits until Ctrl-C, then stops the emulator; returns early if another command stops it."""
    with suppress(KeyboardInterrupt):
        while process.is_alive(emulator):
            time.sleep(_WATCH_S)
        # In this order: a `down` removes the pid file before it releases the lock.
        if not home.is_locked() and process.read(home) == emulator:
            raise AwsError(f"the emulator ended unexpectedly; its log: {home.log_file}")
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ignores an impatient second Ctrl-C
    with home.lock():
        if process.read(home) == emulator:
            take_down(home)
