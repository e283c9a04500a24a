"""The folder of one embedded stack: its files, and the lock that admits one writer at a time."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from falcon_balances.cli import environment, output
from falcon_balances.cli.errors import AwsError, InvalidInputError

LOCK_TIMEOUT_S = 300.0
_LOCK_POLL_S = 0.1


@dataclass(frozen=True)
class Home:
    folder: Path

    @property
    def pid_file(self) -> Path:
        return self.folder / "emulator.pid"

    @property
    def log_file(self) -> Path:
        return self.folder / "emulator.log"

    @property
    def document_file(self) -> Path:
        """`local.json` of design §11; the file exists exactly while the stack is complete."""
        return self.folder / "local.json"

    @property
    def temp(self) -> Path:
        """The files that the emulator and its functions write; removed with the stack."""
        return self.folder / "emulator-tmp"

    @property
    def synth_log(self) -> Path:
        return self.folder / "synth.log"

    def create(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as err:
            raise InvalidInputError(f"cannot use {self.folder}: {err.strerror}") from err

    def clear(self) -> None:
        """Removes the stack's files, except logs, which may show why the stack ended."""
        self.document_file.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)
        shutil.rmtree(self.temp, ignore_errors=True)

    def write_document(self, document: Mapping[str, object]) -> None:
        write_private(self.document_file, json.dumps(document, indent=2) + "\n")

    def read_document(self) -> dict[str, object] | None:
        try:
            document = json.loads(self.document_file.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return document if isinstance(document, dict) else None

    @contextmanager
    def lock(self, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
        """Locks this home against other `up` and `down`; the kernel unlocks it if we die."""
        self.create()
        with (self.folder / "lock").open("w") as file:
            _acquire(file.fileno(), self.folder, timeout_s)
            yield

    def is_locked(self) -> bool:
        """Whether an `up` or `down` of this home is running now."""
        try:
            with (self.folder / "lock").open("r") as file:
                return not _try_lock(file.fileno())
        except FileNotFoundError:
            return False


def current() -> Home:
    return Home(environment.falcon_home())


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, completely or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def _try_lock(descriptor: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _acquire(descriptor: int, folder: Path, timeout_s: float) -> None:
    if _try_lock(descriptor):
        return
    output.note(f"another falcon local command is running in {folder}; waiting for it")
    deadline = time.monotonic() + timeout_s
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            raise AwsError(
                f"another falcon local command still holds {folder} after {timeout_s:.0f} s"
            )
        time.sleep(_LOCK_POLL_S)
