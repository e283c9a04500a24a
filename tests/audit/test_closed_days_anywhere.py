"""Neither zone nor locale of the machine changes what closes, replays or is printed of a day."""

import os
import subprocess
import sys
from pathlib import Path

PLACES = [
    {"TZ": "Asia/Kathmandu", "LC_ALL": "C"},
    {"TZ": "America/Los_Angeles", "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8"},
]
INSTANT = "timestamptz '2026-11-20 23:59:59+00'"
PROGRAM = """
import sys
from pathlib import Path
from falcon_balances.audit.closed_replay import replay_closed
from falcon_balances.audit.duckdb_session import session
from falcon_balances.audit.log_objects import Selection
from tests.audit.closed import closed_days_of
from tests.audit.definition import world

days = closed_days_of(Path(sys.argv[1]), world(30, 3))
for path in sorted(days.glob("*/_day.json")):
    print(path.read_text())
print(replay_closed(days, Selection()).sums)
with session() as engine:
    print(engine.execute(sys.argv[2]).fetchall())
"""
QUERY = f"select current_setting('TimeZone'), {INSTANT}::date, strftime({INSTANT}, '%c')"


def made_in(place: dict[str, str], folder: Path) -> str:
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder, QUERY],
        env=os.environ | place,  # noqa: TID251 - of a subprocess
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_machines_far_apart_close_the_same_days(tmp_path):
    """The descriptions have the SHA-256 of the Parquet files."""
    here, there = (made_in(place, tmp_path / str(n)) for n, place in enumerate(PLACES))
    assert here == there
    assert "('UTC', datetime.date(2026, 11, 20)" in here
