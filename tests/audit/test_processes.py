"""A log that several processes replay between them gives what one process gives."""

import os

import pytest

from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.processes import CAN_FORK, from_all
from falcon_balances.audit.replay import replay
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.operations import Stage
from generated.logs import write
from tests.audit.sealed import objects

needs_fork = pytest.mark.skipif(not CAN_FORK, reason="one process, except on Linux")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With everything in it that can be wrong, in the hands of different merchants."""
    log = objects(120, 9)
    keys = sorted(log)
    log[next(key for key in keys if "-of-" not in key)] = b"flawed"
    multi = next(key for key in keys if "1-of-2" in key)
    del log[multi]
    again = keys[-1].replace("date=2026", "date=2027")
    log[again] = log[keys[-1]].replace(b"2026-", b"2027-")
    log["stray"] = log["confirmed/stray"] = log["elsewhere/stray"] = b"x"
    log["confirmed/merchant_id=m-1/stray"] = b"x"
    root = write(log, tmp_path_factory.mktemp("shared") / "log")
    (root / "payout").symlink_to(root / "confirmed")
    return root


@needs_fork
@pytest.mark.parametrize("count", [2, 3, 20])
@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(merchant_id="m-1"),
        Selection(stage=Stage.RECONCILED),
        Selection(stage=Stage.PAYOUT),
        Selection(since="2026-10-05", until="2026-10-09"),
    ],
)
def test_however_many_processes_find_the_same(folder, selection, count):
    alone = replay(LogFolder(folder), selection)
    together = replay(LogFolder(folder), selection, processes=count)
    assert together == alone
    if selection == Selection():
        problems = {each.problem for each in together.findings}
        assert problems == {"flawed", "foreign", "repeated", "part_missing"}


@needs_fork
def test_what_a_share_raises_is_raised():
    def breaking():
        yield 1
        raise PermissionError("nobody may")

    with pytest.raises(PermissionError, match="nobody may"):
        list(from_all([lambda: iter([2]), breaking]))


@needs_fork
def test_a_process_that_dies_is_noticed():
    def dying():
        yield 1
        os._exit(9)

    with pytest.raises(TransientError):
        list(from_all([lambda: iter([2]), dying]))


@needs_fork
def test_all_shares_are_there_and_whoever_stops_early_leaves_nobody_behind():
    assert sorted(from_all([lambda: iter(range(3)), lambda: iter(range(3, 1000))])) == [
        *range(1000)
    ]
    endless = from_all([lambda: iter([1]), lambda: iter(int, 1)])
    assert next(endless) == 1
    endless.close()
