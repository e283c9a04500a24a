"""A stack of the embedded AWS that is brought up, asked and taken down by the real executable."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.target import Target, local_target

FALCON = Path(sys.executable).with_name("falcon")
COMMAND_TIMEOUT_S = 180


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class LocalStack:
    """One home with its own port; `falcon(...)` runs the executable against it."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def home(self) -> Home:
        return Home(self.folder)

    @property
    def target(self) -> Target:
        return local_target(self.home)

    def environment(self) -> dict[str, str]:
        return os.environ | {"FALCON_HOME": str(self.folder)}  # noqa: TID251 - of a subprocess

    def falcon(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FALCON, *arguments],
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def up(self) -> "LocalStack":
        done = self.falcon("local", "up", "--detach", "--port", str(self.port))
        assert done.returncode == 0, done.stderr
        return self

    def down(self) -> None:
        done = self.falcon("local", "down")
        assert done.returncode == 0, done.stderr
