"""Reading, hashing, replay and verify, as programs that can be timed."""

from typing import Final

from bench.programs import Program

FIGURES: Final = (
    "confirmed",
    "reconciled",
    "available",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
)
READ_OBJECTS: Final = Program(
    """
import os
def below(path):
    with os.scandir(path) as found:
        entries = [(each.name, each.is_dir(follow_symlinks=False)) for each in found]
    files = [name for name, is_folder in entries if not is_folder]
    if files:
        yield path, files
    for name, is_folder in entries:
        if is_folder:
            yield from below(f"{path}/{name}")
""",
    """
size = 0
for path, files in below(str(folder / "log")):
    here = os.open(path, os.O_RDONLY)
    for name in files:
        file = os.open(name, os.O_RDONLY, dir_fd=here)
        size += len(os.read(file, 1 << 16))
        os.close(file)
    os.close(here)
""",
    repeats=5,
)
OUR_ROWS: Final = """
assert not done.findings and done.lines
rows = [
    (*each, *(getattr(balance, name) for name in FIGURES), balance.operations_count)
    for each, balance in balances.items()
]
"""
BALANCES: Final = "balances = balances_of(done.sums, done.agreements)\n"
OURS: Final = f"""
from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
FIGURES = {FIGURES}
"""
REPLAY_OBJECTS: Final = Program(
    f"""{OURS}
from falcon_balances.audit.replay import replay
""",
    f"""
done = replay(LogFolder(folder / "log"), Selection(), processes=2)
{BALANCES}""",
    OUR_ROWS,
    repeats=5,
)
SHA256SUM: Final = Program(
    "import subprocess",
    """
subprocess.run(
    ["sh", "-c", "find . -type f -print0 | xargs -0 sha256sum > /dev/null"],
    cwd=folder / "log", check=True,
)
""",
    repeats=5,
)
VERIFY: Final = Program(
    "from falcon_balances.audit.verifier.verification import verify",
    """
done = verify(folder / "log", folder / "manifests", (folder / "key.pem").read_bytes(), jobs=2)
assert not done.problems and done.objects
""",
    repeats=5,
)

REPLAY_CLOSED: Final = Program(
    f"""{OURS}
from falcon_balances.audit.closed_replay import replay_closed
""",
    f"""
done = replay_closed(folder / "closed", Selection())
{BALANCES}""",
    OUR_ROWS,
)
