"""Starts an embedded AWS for the demo in a temporary folder on a free port, and always stops it."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.story import Story
from falcon_balances.cli import environment
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.embedded.process import HOST
from falcon_balances.cli.target import Target, local_target

PROJECT_ROOT = Path(__file__).parents[1]
FALCON = Path(sys.executable).with_name("falcon")
_COMMAND_TIMEOUT_S = 180
_LETTING_END_S = 20
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(Exception):
    """The demo cannot continue."""


@dataclass(frozen=True, slots=True)
class DemoStack:
    story: Story
    folder: Path
    port: int

    @property
    def target(self) -> Target:
        return local_target(Home(self.folder))

    def falcon(self, *words: str, exit_code: int = 0) -> str:
        """Shows and runs a command, and returns its stdout."""
        self.story.say(f"   $ falcon {' '.join(words)}")
        return self._run(*words, exit_code=exit_code)

    def falcon_json(self, *words: str, exit_code: int = 0) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.falcon(*words, "--json", exit_code=exit_code))
        return document

    def _run(self, *words: str, exit_code: int = 0) -> str:
        # In its own session, so Ctrl-C at the terminal reaches only the demo, which passes it on.
        child = subprocess.Popen(  # noqa: S603 - our own command
            [FALCON, *words],
            cwd=PROJECT_ROOT,
            env=environment.child_environment(FALCON_HOME=str(self.folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            answer, messages = child.communicate(timeout=_COMMAND_TIMEOUT_S)
        except BaseException:  # any interruption of the demo first ends the command
            child.send_signal(signal.SIGINT)
            try:
                child.communicate(timeout=_LETTING_END_S)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
        if child.returncode != exit_code:
            raise DemoError(f"falcon {' '.join(words)}: exit {child.returncode}\n{messages}")
        return answer

    def take_down(self) -> None:
        self._run("local", "down")


@contextmanager
def demo_stack(story: Story) -> Iterator[DemoStack]:
    """Starts the embedded AWS; stops it on success, failure and Ctrl-C.

    After a failure the logs stay, and their folder is printed.
    """
    stack = DemoStack(story, Path(tempfile.mkdtemp(prefix="falcon-demo-")), _free_port())
    has_failed = False
    try:
        stack.falcon("local", "up", "--detach", "--port", str(stack.port))
        yield stack
    except Exception:
        has_failed = True
        raise
    finally:
        for number in _INTERRUPTS:  # ignores an impatient second Ctrl-C
            signal.signal(number, signal.SIG_IGN)
        stack.take_down()
        if has_failed or story.broken:
            story.say(f"\nThe logs of the stack are in {stack.folder}")
        else:
            shutil.rmtree(stack.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
