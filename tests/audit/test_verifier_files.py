"""What is no plain file, no folder and no manifest is named, and ends nothing."""

import copy
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from falcon_balances.audit.verifier import chain, hashing
from falcon_balances.audit.verifier.findings import (
    PROBLEMS_MAX,
    Discrepancy,
    NotWrittenSoError,
    Problems,
    Verified,
)
from falcon_balances.audit.verifier.proofs import check_proof
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.cli.audit import sealing as command
from falcon_balances.cli.errors import InvalidInputError
from tests.audit.tampering import check, joined, lines_of, rewrite
from tests.audit.tampering_manifests import name_of


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 << 30)


NO_FILES = [a_pipe, a_device, a_folder, a_huge_file]


def test_a_pipe_is_none_even_where_the_right_bytes_come_out_of_it(small):
    key = small.keys[0]
    body = (small.log / key).read_bytes()
    (small.log / key).unlink()
    os.mkfifo(small.log / key)
    pipe = os.open(small.log / key, os.O_RDWR)
    try:
        os.write(pipe, body)
        assert check(small) == {key}
    finally:
        os.close(pipe)


@pytest.mark.parametrize("no_file", NO_FILES)
def test_what_is_no_plain_file_ends_nothing(small, tmp_path, no_file):
    """Neither hangs nor fills the memory, whichever file it is in place of."""
    no_file(small.manifests / name_of(4))
    no_file(small.log / "there")
    no_file(tmp_path / "other")
    found = check(small, versions=tmp_path / "other")
    assert (
        {name_of(4), str(tmp_path / "other")}
        <= found
        <= {name_of(4), str(tmp_path / "other"), "there"}
    )
    with pytest.raises(NotWrittenSoError):
        check_proof(tmp_path / "other", small.public_key)
    with pytest.raises(InvalidInputError):
        command.prove("m-1", small.manifests, tmp_path / "proof.json")
    with pytest.raises(InvalidInputError, match="--public-key"):
        command.verify(manifests=small.manifests, public_key=tmp_path / "other")


def test_a_gap_among_manifests_is_one_problem_however_long(small):
    (small.manifests / name_of(3)).rename(small.manifests / "99999999.jsonl")
    done = verify(None, small.manifests, small.public_key)
    assert (
        Discrepancy(name_of(3), "99999996 manifests are missing, from this one to 99999998.jsonl")
        in done.problems
    )
    assert len(done.problems) < 5


def test_manifests_lie_in_the_folder_or_where_it_holds_none_in_the_one_of_that_name(small):
    assert verify(None, small.root, small.public_key).problems == []
    inner = small.manifests / "manifests"
    inner.mkdir()
    shutil.copy(small.manifests / name_of(1), inner)
    done = verify(None, small.manifests, small.public_key)
    assert (done.manifests, [each.place for each in done.problems]) == (3, ["manifests"])
    (small.manifests / "00000000.jsonl").write_bytes(b"")
    assert check(small) == {"manifests", "00000000.jsonl"}


def test_what_is_no_folder_is_said(small):
    for log, manifests in (
        (small.log, small.manifests / name_of(1)),
        (small.log, small.root / "none"),
        (small.versions, small.manifests),
    ):
        with pytest.raises(NotWrittenSoError):
            verify(log, manifests, small.public_key)


def test_a_folder_that_cannot_be_looked_into_is_named(small, monkeypatch):
    """As one whose path is too long; the like happens without permission."""
    name = "x" * 250
    with ExitStack() as stack:
        stack.callback(os.chdir, Path.cwd())
        os.chdir(small.log)
        for _ in range(20):
            Path(name).mkdir()
            os.chdir(name)
    (place,) = check(small)
    assert place.endswith(name)


def with_leaves(small, stack: ExitStack, leaves: bytes) -> Verified:
    path = small.manifests / name_of(1)
    rewrite(stack, path, joined(lines_of(path)[:2]) + leaves)
    return verify(None, small.manifests, small.public_key)


def test_of_very_many_problems_the_first_are_kept_and_the_others_counted(small):
    """A manifest of empty lines only: two problems for each of them, and a few for the whole."""
    with ExitStack() as stack:
        done = with_leaves(small, stack, b"\n" * 3 * PROBLEMS_MAX)
    assert len(done.problems) == PROBLEMS_MAX + 1
    assert done.problems.total > 3 * PROBLEMS_MAX
    more = done.problems.total - PROBLEMS_MAX
    assert done.problems[-1] == ("and more", f"{more} more problems are not listed")


def test_problems_are_counted_as_processes_hand_them_on():
    """As pickle copies them."""
    some = Problems()
    some.more = 3
    some.append(Discrepancy("a", "b"))
    again = copy.copy(some)
    assert (list(again), again.more) == (list(some), 3)
    all_of_them = Problems()
    all_of_them += again
    assert all_of_them.more == 3


@pytest.mark.parametrize("depth", [*range(10, 20), 100, *range(980, 1_000), 10_000, 100_000])
def test_lists_in_lists_are_named_at_any_depth(small, depth):
    line = b'{"blind":"","leaf":' + b"[" * depth + b"]" * depth + b"}\n"
    with ExitStack() as stack:
        done = with_leaves(small, stack, line)
    assert "00000001.jsonl, line 3" in {each.place for each in done.problems}


def test_no_line_and_no_number_of_lines_fills_the_memory(small, monkeypatch):
    monkeypatch.setattr(hashing, "LINE_MAX_BYTES", 10_000)
    monkeypatch.setattr(chain, "MANIFEST_MAX_LINES", 1_000)
    with ExitStack() as stack:
        line = b'{"blind":"%s"}\n' % (b"0" * 10_000)
        long = with_leaves(small, stack, line)
        many = with_leaves(small, stack, b"\n" * 1_000)
    assert ("00000001.jsonl, line 3", "longer than 10000 bytes") in long.problems
    assert ("00000001.jsonl", "unreadable: more than 1000 lines") in many.problems
