"""Plants one fault at a time in a copy of the code and shows that a test finds it.

    python -m tests.property.plant [NAME ...]

Each line says whether the fault was found and after how many seconds. Exit code 0 when every
planted fault was found, 1 when one was not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

from tests.property.faults import FAULTS
from tests.property.faults.fault import Fault

ROOT = Path(__file__).parents[2]
COPIED = ("falcon_balances", "lambdas", "inprocess", "state_machines", "tests", "pyproject.toml")
AT_ONCE = os.cpu_count() or 1


def copy_code(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            # What runs beside this compiles the same code: its files come and go while we copy.
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)


@contextmanager
def planted(fault: Fault, folder: Path) -> Iterator[None]:
    """The fault is in the copy as long as this lasts."""
    target = folder / fault.path
    code = target.read_text()
    if code.count(fault.before) != 1:
        raise SystemExit(f"{fault.name}: its place in {fault.path} is not there, or not once")
    _write(target, code.replace(fault.before, fault.after))
    try:
        yield
    finally:
        _write(target, code)


def _write(target: Path, code: str) -> None:
    """Python takes bytecode for current if its source has the same size and second: it must go."""
    target.write_text(code)
    Path(cache_from_source(target)).unlink(missing_ok=True)


def is_found(fault: Fault, folder: Path) -> bool:
    with planted(fault, folder):
        # Not both at once: pytest would sort the first ones in where they lie.
        return any(_fails(folder, tests) for tests in (fault.first, ("tests/property",)))


def _fails(folder: Path, tests: Sequence[str]) -> bool:
    tested = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *tests),
            *("-q", "-x", "--no-header", "--hypothesis-profile=planted"),
        ],
        cwd=folder,
        env=_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    # 1 is pytest's "tests ran and failed"; anything else would say nothing about the fault.
    return tested.returncode == 1


def _environment(folder: Path) -> dict[str, str]:
    """Ours, with the copy's code before the installed one, and bytecode whatever ours says."""
    added = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    return os.environ | added  # noqa: TID251 - passed on


def main(names: Sequence[str]) -> int:
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        sys.exit(f"no such faults: {', '.join(sorted(unknown))}")
    faults = [fault for fault in FAULTS if not names or fault.name in names]
    missed = 0
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(AT_ONCE) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            copy_code(Path(root) / str(number))
            copies.put(Path(root) / str(number))

        def look_for(fault: Fault) -> tuple[bool, float]:
            started, folder = monotonic(), copies.get()
            try:
                return is_found(fault, folder), monotonic() - started
            finally:
                copies.put(folder)

        for fault, (found, took_s) in zip(faults, pool.map(look_for, faults), strict=True):
            missed += not found
            sys.stdout.write(f"{'found ' if found else 'MISSED'} {took_s:5.1f} s  {fault.name}\n")
            sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
