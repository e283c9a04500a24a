"""Replay and verify over the log as it lies, one object an event and merchant, beside the bytes.

Each is a process of its own, so that peak memory is its own; they run in turn, several times, and
the ratio of the medians is what counts on a machine that others use too.
"""

import json
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.environment import inherited
from bench.logs import objects_of, segments, write
from bench.results import Bound, Column, Result, Row
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.manifests import Sealed, SealedObject, seal

EVENTS: Final = 45_500  # 100,100 objects of two lines
REPEATS: Final = 5
REPLAY_MAX: Final = 1.5
VERIFY_MAX: Final = 2.0
_MB: Final = 1 << 20

# Each prints its seconds, without those of starting Python, and the peak of its memory in kB.
_TIMED = r"""
import json, re, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
{prepare}
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
# What getrusage says of a child begins with its parent's peak.
peak_kb = re.search(r"VmHWM:\s+([0-9]+)", Path("/proc/self/status").read_text())[1]
print(json.dumps([seconds, int(peak_kb)]))
"""
_READ = (
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
)
_REPLAY = (
    """
from falcon_balances.audit.log_objects import LogFolder, Selection
from falcon_balances.audit.replay import replay
""",
    """
done = replay(LogFolder(folder / "log"), Selection())
assert not done.findings and done.lines
""",
)
_SHA256SUM = (
    "import subprocess",
    """
subprocess.run(
    ["sh", "-c", "find . -type f -print0 | xargs -0 sha256sum > /dev/null"],
    cwd=folder / "log", check=True,
)
""",
)
_VERIFY = (
    "from falcon_balances.audit.verifier.verification import verify",
    """
done = verify(folder / "log", folder / "manifests", (folder / "key.pem").read_bytes(), jobs=2)
assert not done.problems and done.objects
""",
)
WORK: Final = {
    "read every byte": _READ,
    "replay": _REPLAY,
    "sha256sum": _SHA256SUM,
    "verify, two processes": _VERIFY,
}


def run(events: int = EVENTS, repeats: int = REPEATS) -> Result:
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        objects = objects_of(segments(events))
        write(objects, folder / "log")
        _seal(folder, objects)
        measured: dict[str, list[list[float]]] = {each: [] for each in WORK}
        for each in list(WORK) * (repeats + 1):  # the first of each warms the page cache
            measured[each].append(_time(folder, *WORK[each]))
    seconds = {each: median(second for second, _ in runs[1:]) for each, runs in measured.items()}
    memory = {each: max(kb for _, kb in runs) / 1024 for each, runs in measured.items()}
    beside = {"replay": "read every byte", "verify, two processes": "sha256sum"}
    rows: list[Row] = [
        {
            "what": each,
            "seconds": seconds[each],
            "ratio": seconds[each] / seconds[beside.get(each, each)],
            "memory_mb": memory[each],
        }
        for each in WORK
    ]
    size = sum(map(len, objects.values()))
    replay_ratio = seconds["replay"] / seconds["read every byte"]
    verify_ratio = seconds["verify, two processes"] / seconds["sha256sum"]
    return Result(
        name="audit",
        title=f"{len(objects):,} objects of two lines, {size / _MB:.0f} MB",
        columns=[
            Column("what", "what"),
            Column("seconds", "seconds", 2),
            Column("ratio", "times what it stands beside", 2),
            Column("memory_mb", "MB at most"),
        ],
        rows=rows,
        notes=["replay beside reading the bytes alone, verify beside sha256sum; medians"],
        bounds=[
            Bound(
                f"replay takes {REPLAY_MAX} times as long as reading, at most",
                replay_ratio <= REPLAY_MAX,
                fails_the_run=False,
            ),
            Bound(
                f"verify takes {VERIFY_MAX} times as long as sha256sum, at most",
                verify_ratio <= VERIFY_MAX,
                fails_the_run=False,
            ),
        ],
    )


def _time(folder: Path, prepare: str, work: str) -> list[float]:
    program = _TIMED.format(prepare=prepare, work=work)
    done = subprocess.run(
        [sys.executable, "-c", program, folder],
        env=inherited(),
        capture_output=True,
        text=True,
        check=True,
    )
    said: list[float] = json.loads(done.stdout)
    return said


def _seal(folder: Path, objects: dict[str, bytes]) -> None:
    """As the sealer would, with a key made here."""
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = [
        SealedObject.of(each, f"version-{n}", body, read_strictly(each, body))
        for n, (each, body) in enumerate(objects.items())
    ]
    manifest, _ = seal("bench", Sealed(), sealed, "2026-11-20T01:00:00Z", bytes(32))
    signature = key.sign(manifest.head.line(), ec.ECDSA(hashes.SHA256()))
    path = folder / manifest.key
    path.parent.mkdir()
    path.write_bytes(manifest.signed(b64encode(signature).decode()))
    (folder / "key.pem").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
