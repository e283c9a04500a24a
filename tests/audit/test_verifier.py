"""Whatever is done to a sealed log or to its manifests is found, where it is, and nothing else."""

import json
import shutil
from contextlib import ExitStack
from random import Random

import pytest

from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.verifier.sums import FIGURES, weighed
from falcon_balances.audit.verifier.verification import verify
from generated.logs import objects_of
from tests.audit.definition import defined, world
from tests.audit.replays import balances_in
from tests.audit.sealed import objects, sealed_log, split
from tests.audit.tampering import (
    IN_THE_LOG,
    MANIFESTS,
    MANY_TIMES,
    PLACES,
    PLACES_ALONE,
    a_byte_edited,
    an_object_rekeyed,
    check,
    joined,
    lines_of,
    put_back,
    rewrite,
    two_objects_swapped,
)
from tests.audit.tampering_manifests import OF_MANIFESTS, name_of, the_last_manifest_dropped
from tests.audit.tampering_merchants import OF_THE_TREE


def test_nothing_is_wrong_with_it_and_its_balances_are_those_of_replay(sealed):
    done = verify(sealed.log, sealed.manifests, sealed.public_key, versions=sealed.versions)
    assert done.problems == []
    assert (done.manifests, done.objects, done.lines) == (MANIFESTS, 10_010, 20_020)
    assert done.head == sealed.heads[-1].head.hash
    replayed = balances_in(LogFolder(sealed.log))
    assert len(replayed) == len(done.balances)
    for said, (name, balance) in zip(done.balances, replayed.items(), strict=True):
        assert (said["merchant_id"], said["balance_shop_id"], said["currency"]) == name
        assert said["operations_count"] == balance.operations_count
        for figure in FIGURES[:-1]:
            assert int(str(said[figure]).replace(".", "")) == getattr(balance, figure)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("with_objects", [True, False])
def test_stages_that_contradict_are_weighed_as_the_definition_says(tmp_path, seed, with_objects):
    """Two thousand events; by the leaves of the manifests alone too."""
    segments = world(2_000, seed)
    made = sealed_log(tmp_path, split(objects_of(segments), 2))
    log = made.log if with_objects else None
    done = verify(log, made.manifests, made.public_key, versions=made.versions)
    assert done.problems == []
    definition = defined(segments)
    assert balances_in(LogFolder(made.log)) == definition
    assert len(definition) == len(done.balances)
    for said, (name, balance) in zip(done.balances, definition.items(), strict=True):
        assert tuple(said.values())[:3] == name
        for figure in FIGURES:
            assert int(str(said[figure]).replace(".", "")) == getattr(balance, figure)


@pytest.mark.parametrize(
    ("confirmed", "reconciled", "counted"),
    [(100, 100, 100), (1_980, 198_000, 1_980), (0, 99, 0), (-40, 0, -40), (0, -40, -40),
     (-60, -40, -60), (10, -10, -10), (-1, 99, -1)],
)  # fmt: skip
def test_money_comes_in_by_both_and_goes_out_by_either(confirmed, reconciled, counted):
    said = weighed(confirmed, reconciled)
    assert said.pop("available") == counted
    assert all(minor >= 0 for minor in said.values())
    assert counted == confirmed - said["pending"] - said["debits_unconfirmed"]
    assert counted == reconciled - said["unapplied"] - said["debits_untraced"]


@MANY_TIMES
@pytest.mark.parametrize("tampering", IN_THE_LOG)
def test_fifty_places_at_once_are_all_found(sealed, tampering):
    rng = Random(tampering.__name__)
    expected: set[str] = set()
    with ExitStack() as stack:
        for _ in range(PLACES):
            with ExitStack() as alone:
                places = tampering(sealed, rng, alone)
                if not places & expected:
                    stack.push(alone.pop_all())
                    expected |= places
        assert len(expected) >= PLACES * 0.9
        assert check(sealed) == expected
    assert check(sealed) == set()


@MANY_TIMES
@pytest.mark.parametrize("tampering", [*IN_THE_LOG, the_last_manifest_dropped])
def test_a_single_place_is_found_and_nothing_else(sealed, tampering):
    rng = Random(tampering.__name__ + "alone")
    for _ in range(2):
        with ExitStack() as stack:
            expected = tampering(sealed, rng, stack)
            found = check(sealed)
            assert expected <= found
            assert {each for each in found - expected if not each.endswith(".jsonl")} == set()


@MANY_TIMES
@pytest.mark.parametrize("tampering", [*OF_MANIFESTS, *OF_THE_TREE])
def test_what_is_done_to_a_manifest_is_found_wherever_it_is(fewer, tampering):
    rng = Random(tampering.__name__)
    for _ in range(PLACES_ALONE):
        with ExitStack() as stack:
            expected = tampering(fewer, rng, stack)
            found = check(fewer, log=None, versions=None)
            assert expected & found, (expected, found)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sums", [["b", "EUR", "confirmed", "capture", "9" * 5_000, 1]]),
        ("sums", [["b", "EUR", "confirmed", "gift", "1.00", 1]]),
        ("sums", [[["b"], "EUR", "confirmed", "capture", "1.00", 1]]),
        ("sums", [["b", "EUR", {}, "capture", "1.00", 1]]),
        ("sums", [1]),
        ("lines", True),
        ("size", -1),
        ("key", "\ud800"),
        ("key", "../../etc/hostname"),
        (
            "key",
            "confirmed/merchant_id=m-1/date=2026-10-01/" + "0" * 36 + ".1-of-" + "9" * 99 + ".csv",
        ),
        ("sha256", None),
        ("version_id", ["v"]),
    ],
)
def test_hostile_leaves_are_named_and_end_nothing(sealed, field, value):
    path = sealed.manifests / name_of(3)
    lines = lines_of(path)
    place = next(n for n, each in enumerate(lines) if b'"leaf":"object"' in each)
    document = json.loads(lines[place]) | {field: value}
    with ExitStack() as stack:
        lines[place] = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        rewrite(stack, path, joined(lines))
        assert name_of(3) in check(sealed)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"[]\n[]\n[]\n",
        b"[" * 100_000 + b"\n{}\n{}\n",
        b"\xff\n{}\n{}\n",
        b"{}\n{}\n{}\n",
    ],
)
def test_a_manifest_that_is_none_is_named_and_ends_nothing(sealed, text):
    with ExitStack() as stack:
        rewrite(stack, sealed.manifests / name_of(3), text)
        assert name_of(3) in check(sealed)


def test_an_anchor_finds_that_the_end_is_missing_with_all_that_it_sealed(sealed):
    head = sealed.heads[-1].head.hash
    assert check(sealed, anchor=head) == set()
    with ExitStack() as stack:
        lost = the_last_manifest_dropped(sealed, Random(0), stack)
        for key in lost:
            an_absent(sealed, key, stack)
        assert check(sealed, versions=None) == set()
        assert check(sealed, versions=None, anchor=head) == {str(sealed.manifests)}


def an_absent(sealed, key, stack):
    put_back(stack, sealed.log / key)
    (sealed.log / key).unlink()


def test_no_false_alarm_on_two_hundred_clean_logs(tmp_path):
    for n in range(200):
        rng = Random(n)
        root = tmp_path / str(n)
        parts = split(
            objects(rng.randrange(1, 9), merchants=rng.randrange(2, 5)), rng.randrange(1, 4)
        )
        clean = sealed_log(root, [each for each in parts if each])
        assert check(clean) == set()
        shutil.rmtree(root)


def test_several_processes_find_the_same(sealed):
    with ExitStack() as stack:
        expected = a_byte_edited(sealed, Random(1), stack) | an_object_rekeyed(
            sealed, Random(2), stack
        )
        assert check(sealed, jobs=2) == check(sealed) == expected


def test_a_problem_says_whose_bytes_lie_there(sealed):
    with ExitStack() as stack:
        one, other = sorted(two_objects_swapped(sealed, Random(4), stack))
        done = verify(sealed.log, sealed.manifests, sealed.public_key)
        said = {each.place: each.what for each in done.problems}
        assert said == {
            one: f"its bytes are not those that were sealed: they are those of {other}",
            other: f"its bytes are not those that were sealed: they are those of {one}",
        }


@pytest.mark.parametrize(
    "link", ["confirmed/link.csv", "confirmed/merchant_id=m-1/date=2026-10-01"]
)
def test_links_are_strangers(sealed, link):
    with ExitStack() as stack:
        path = sealed.log / link
        if path.is_dir():
            path = path / "x.csv"
        path.symlink_to("/etc/hostname")
        stack.callback(path.unlink)
        assert check(sealed) == {str(path.relative_to(sealed.log))}
