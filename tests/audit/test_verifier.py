"""Whatever is done to a sealed log or to its manifests is found, where it is, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.verifier import leaves as verifier_leaves
from falcon_balances.audit.verifier import verification
from falcon_balances.audit.verifier.findings import Discrepancy, NotWrittenSoError
from falcon_balances.audit.verifier.leaves import (
    CheckedLeaves,
    check_leaves,
    is_as_expected,
    read_object_leaf,
)
from falcon_balances.audit.verifier.objects import LINE_MAX, line_uuid, read_amount
from falcon_balances.audit.verifier.proofs import check_proof
from falcon_balances.audit.verifier.sums import FIGURES, weighed
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.cli.audit import sealing as command
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.identity import balance_operation_uuid
from falcon_balances.domain.log_grammar import HEADER
from falcon_balances.domain.manifests import SealedObject
from falcon_balances.domain.operations import OperationType, Segment, Stage
from generated.logs import objects_of, write
from tests.audit.definition import defined, world
from tests.audit.logs import Objects
from tests.audit.sealed import OTHER_KEY, SealedLog, objects, public_key_of, sealed_log, sign, split
from tests.audit.test_replay import balances_in

EVENTS = 4_550  # 10,010 objects
PLACES = 50
MANIFESTS = 12
# One at a time takes minutes: all fifty in CI.
PLACES_ALONE = PLACES if "CI" in os.environ else 5  # noqa: TID251 - as tests/conftest.py does


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> SealedLog:
    """Ten thousand objects, in twelve manifests."""
    return sealed_log(tmp_path_factory.mktemp("sealed") / "s", split(objects(EVENTS), MANIFESTS))


def check(sealed: SealedLog, **options) -> set[str]:
    """The places where something is wrong."""
    said = {"versions": sealed.versions} | options
    done = verify(said.pop("log", sealed.log), sealed.manifests, sealed.public_key, **said)
    return {each.place for each in done.problems}


# Tampering: each changes something, says where that must be found, and takes it back in the end

Tampering = Callable[[SealedLog, Random, ExitStack], set[str]]


def put_back(stack: ExitStack, path: Path) -> None:
    """As it is now, when all is over."""
    if path.exists():
        stack.callback(path.write_bytes, path.read_bytes())
    else:
        stack.callback(path.unlink, missing_ok=True)


def rewrite(stack: ExitStack, path: Path, body: bytes) -> None:
    put_back(stack, path)
    path.write_bytes(body)


def some_key(sealed: SealedLog, rng: Random) -> str:
    return rng.choice(sealed.keys)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().removesuffix(b"\n").split(b"\n")


def joined(lines: list[bytes]) -> bytes:
    return b"\n".join([*lines, b""])


def a_byte_edited(sealed, rng, stack):
    key = some_key(sealed, rng)
    body = bytearray((sealed.log / key).read_bytes())
    body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    rewrite(stack, sealed.log / key, bytes(body))
    return {key}


def an_amount_edited(sealed, rng, stack):
    key = some_key(sealed, rng)
    lines = lines_of(sealed.log / key)
    fields = lines[1].split(b",")
    fields[2] = b"%d%s" % (rng.randrange(1, 9), fields[2])
    rewrite(stack, sealed.log / key, joined([lines[0], b",".join(fields), *lines[2:]]))
    return {key}


def a_line_removed(sealed, rng, stack):
    key = some_key(sealed, rng)
    lines = lines_of(sealed.log / key)
    del lines[rng.randrange(1, len(lines))]
    rewrite(stack, sealed.log / key, joined(lines))
    return {key}


def a_line_added(sealed, rng, stack):
    key = some_key(sealed, rng)
    lines = lines_of(sealed.log / key)
    rewrite(stack, sealed.log / key, joined([*lines, rng.choice(lines[1:])]))
    return {key}


def a_line_moved(sealed, rng, stack):
    giver, taker = rng.sample(sealed.keys, 2)
    given, taken = lines_of(sealed.log / giver), lines_of(sealed.log / taker)
    moved = given.pop()
    rewrite(stack, sealed.log / giver, joined(given))
    rewrite(stack, sealed.log / taker, joined([*taken, moved]))
    return {giver, taker}


def lines_in_another_order(sealed, rng, stack):
    key = some_key(sealed, rng)
    header, *lines = lines_of(sealed.log / key)
    rewrite(stack, sealed.log / key, joined([header, *reversed(lines)]))
    return {key}


def an_object_truncated(sealed, rng, stack):
    key = some_key(sealed, rng)
    body = (sealed.log / key).read_bytes()
    rewrite(stack, sealed.log / key, body[: rng.randrange(len(body))])
    return {key}


def an_object_reencoded(sealed, rng, stack):
    key = some_key(sealed, rng)
    text = (sealed.log / key).read_text()
    rewrite(
        stack,
        sealed.log / key,
        rng.choice(
            [
                text.encode("utf-16"),
                text.replace("\n", "\r\n").encode(),
                b"\xef\xbb\xbf" + text.encode(),
            ]
        ),
    )
    return {key}


def an_object_removed(sealed, rng, stack):
    key = some_key(sealed, rng)
    put_back(stack, sealed.log / key)
    (sealed.log / key).unlink()
    return {key}


def an_object_added(sealed, rng, stack):
    key = some_key(sealed, rng)
    name = key.rpartition("/")[2]
    added = key.replace(name, f"{rng.getrandbits(32):08x}{name[8:]}")
    rewrite(stack, sealed.log / added, (sealed.log / key).read_bytes())
    return {added}


def an_object_rekeyed(sealed, rng, stack):
    key = some_key(sealed, rng)
    other = key.replace("/merchant_id=m-", "/merchant_id=m-9")
    put_back(stack, sealed.log / key)
    (sealed.log / other).parent.mkdir(parents=True, exist_ok=True)
    rewrite(stack, sealed.log / other, (sealed.log / key).read_bytes())
    (sealed.log / key).unlink()
    return {key, other}


def two_objects_swapped(sealed, rng, stack):
    one, other = rng.sample(sealed.keys, 2)
    first, second = (sealed.log / one).read_bytes(), (sealed.log / other).read_bytes()
    rewrite(stack, sealed.log / one, second)
    rewrite(stack, sealed.log / other, first)
    return {one, other}


def listed(sealed, stack, change):
    document = json.loads(sealed.versions.read_text())
    change(document)
    rewrite(stack, sealed.versions, json.dumps(document).encode())


def an_older_version_put_back(sealed, rng, stack):
    key = some_key(sealed, rng)

    def change(document):
        for each in document["Versions"]:
            if each["Key"] == key:
                each["VersionId"] = "older"

    listed(sealed, stack, change)
    return {key}


def a_second_version(sealed, rng, stack):
    key = some_key(sealed, rng)
    version = {"Key": key, "VersionId": "second", "IsLatest": True}
    listed(sealed, stack, lambda document: document["Versions"].append(version))
    return {key}


def a_delete_marker(sealed, rng, stack):
    key = some_key(sealed, rng)
    marker = {"Key": key, "VersionId": "marker", "IsLatest": True}
    listed(sealed, stack, lambda document: document.setdefault("DeleteMarkers", []).append(marker))
    return {key}


IN_THE_LOG = [
    a_byte_edited,
    an_amount_edited,
    a_line_removed,
    a_line_added,
    a_line_moved,
    lines_in_another_order,
    an_object_truncated,
    an_object_reencoded,
    an_object_removed,
    an_object_added,
    an_object_rekeyed,
    two_objects_swapped,
    an_older_version_put_back,
    a_second_version,
    a_delete_marker,
]


def name_of(number: int) -> str:
    return f"{number:08}.jsonl"


def a_manifest_edited(sealed, rng, stack):
    name = name_of(rng.randrange(1, MANIFESTS + 1))
    body = bytearray((sealed.manifests / name).read_bytes())
    body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    rewrite(stack, sealed.manifests / name, bytes(body))
    return {name}


def a_total_edited(sealed, rng, stack):
    name = name_of(rng.randrange(1, MANIFESTS + 1))
    lines = lines_of(sealed.manifests / name)
    number = rng.choice(
        [
            n
            for n, each in enumerate(lines)
            if b'"leaf":"total"' in each or b'"leaf":"merchant"' in each
        ]
    )
    document = json.loads(lines[number])
    if document["leaf"] == "total":
        document["amount"] = "1" + document["amount"].lstrip("-")
    else:
        document["sums"][0][-1] += 1
    lines[number] = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    rewrite(stack, sealed.manifests / name, joined(lines))
    return {name, f"{name}, line {number + 1}"}


def a_manifest_truncated(sealed, rng, stack):
    name = name_of(rng.randrange(1, MANIFESTS + 1))
    body = (sealed.manifests / name).read_bytes()
    rewrite(stack, sealed.manifests / name, body[: rng.randrange(len(body))])
    return {name}


def a_manifest_dropped_in_the_middle(sealed, rng, stack):
    name = name_of(rng.randrange(1, MANIFESTS))
    put_back(stack, sealed.manifests / name)
    (sealed.manifests / name).unlink()
    return {name}


def the_last_manifest_dropped(sealed, rng, stack):
    path = sealed.manifests / name_of(MANIFESTS)
    keys = {json.loads(each)["key"] for each in lines_of(path) if b'"leaf":"object"' in each}
    put_back(stack, path)
    path.unlink()
    return keys


def manifests_reordered(sealed, rng, stack):
    one, other = (sealed.manifests / name_of(n) for n in rng.sample(range(1, MANIFESTS + 1), 2))
    first, second = one.read_bytes(), other.read_bytes()
    rewrite(stack, one, second)
    rewrite(stack, other, first)
    return {one.name, other.name}


def a_manifest_signed_by_another(sealed, rng, stack):
    name = name_of(rng.randrange(1, MANIFESTS + 1))
    lines = lines_of(sealed.manifests / name)
    lines[1] = json.dumps(
        {"algorithm": "ECDSA_SHA_256", "signature": sign(lines[0], OTHER_KEY)},
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    rewrite(stack, sealed.manifests / name, joined(lines))
    return {name}


def a_stranger_among_manifests(sealed, rng, stack):
    name = rng.choice(["notes.txt", "00000001.jsonl.bak", "1.jsonl"])
    rewrite(stack, sealed.manifests / name, b"{}\n")
    return {name}


def an_object_and_its_leaf_changed_alike(sealed, rng, stack):
    """By who can write both, and has no key: the tree's root says so."""
    number = rng.randrange(1, MANIFESTS + 1)
    path = sealed.manifests / name_of(number)
    lines = lines_of(path)
    place = rng.choice([n for n, each in enumerate(lines) if b'"leaf":"object"' in each])
    del lines[place]
    rewrite(stack, path, joined(lines))
    return {path.name}


OF_MANIFESTS = [
    a_manifest_edited,
    a_total_edited,
    a_manifest_truncated,
    a_manifest_dropped_in_the_middle,
    manifests_reordered,
    a_manifest_signed_by_another,
    a_stranger_among_manifests,
    an_object_and_its_leaf_changed_alike,
]


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


@pytest.mark.parametrize("tampering", [*IN_THE_LOG, the_last_manifest_dropped])
def test_a_single_place_is_found_and_nothing_else(sealed, tampering):
    rng = Random(tampering.__name__ + "alone")
    for _ in range(2):
        with ExitStack() as stack:
            expected = tampering(sealed, rng, stack)
            found = check(sealed)
            assert expected <= found
            assert {each for each in found - expected if not each.endswith(".jsonl")} == set()


@pytest.mark.parametrize("tampering", OF_MANIFESTS)
def test_what_is_done_to_a_manifest_is_found_wherever_it_is(sealed, tampering):
    rng = Random(tampering.__name__)
    for _ in range(PLACES_ALONE):
        with ExitStack() as stack:
            expected = tampering(sealed, rng, stack)
            found = check(sealed, log=None, versions=None)
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


# Money that is there twice

OPERATION = "11111111-2222-5333-8444-555555555555"


def an_object(merchant: str = "m-1", day: str = "2026-11-20", part: str = "") -> Objects:
    """One capture of an operation that is the same in all of them."""
    uuid = balance_operation_uuid(
        OPERATION, Stage.CONFIRMED, merchant, "bs-1", OperationType.CAPTURE, 0
    )
    row = f"{uuid},r,100.00,EUR,capture,{OPERATION},{day}T10:00:00Z,l,s,bs-1,p,,,,,"
    key = f"confirmed/merchant_id={merchant}/date={day}/{OPERATION}{part}.csv"
    return {key: f"{HEADER}\n{row}\n".encode()}


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize(
    ("some", "wrong", "what"),
    [
        ([an_object(), an_object("m-2")], 1, "lies in the log already"),
        ([an_object(), an_object(day="2026-11-21")], 1, "lies in the log already"),
        (
            [an_object(part=".1-of-2"), an_object("m-2", part=".2-of-2"), an_object("m-3")],
            2,
            "do not fit together",
        ),
        (
            [
                an_object("m-1", part=".1-of-2"),
                an_object("m-2", part=".2-of-2"),
                an_object("m-3", part=".1-of-2"),
            ],
            2,
            "lies in the log already",
        ),
        (
            [an_object(part=".1-of-2"), an_object(part=".2-of-2")],
            1,
            "lies in the log already",
        ),
        (
            [an_object(part=".1-of-2"), an_object("m-2", "2026-11-21", ".2-of-2")],
            1,
            "another day",
        ),
        (
            [an_object(part=".1-of-2"), an_object("m-2", part=".3-of-2")],
            1,
            "no key of the log",
        ),
        ([an_object(part=".1-of-2"), an_object("m-2", part=".2-of-3")], 1, "do not fit together"),
    ],
)
def test_an_event_that_lies_there_twice_or_does_not_fit_is_found(
    tmp_path, monkeypatch, apart, some, wrong, what
):
    """Sealed in one manifest or several, by whom it does not trouble."""
    monkeypatch.setattr("tests.audit.sealed.read_strictly", read_without_key)
    parts = some if apart else [{key: body for each in some for key, body in each.items()}]
    sealed = sealed_log(tmp_path / "s", parts)
    done = verify(sealed.log, sealed.manifests, sealed.public_key, versions=sealed.versions)
    (key,) = some[wrong]
    said = [each for each in done.problems if what in each.what]
    assert [each.place for each in said] == [key]
    assert {each.place for each in done.problems} <= {key, *some[0]}


def read_without_key(key: str, body: bytes) -> Segment:
    """As a sealer that looks at nothing but the lines."""
    plain = key.replace(key[key.index("/date=") + 53 :], ".csv")
    return read_strictly(plain, body)


def test_parts_may_be_sealed_apart_and_all_must_be_in_the_manifest_after_the_first(tmp_path):
    first, second = an_object(part=".1-of-2"), an_object("m-2", part=".2-of-2")
    assert check(sealed_log(tmp_path / "both", [first, second])) == set()
    assert check(sealed_log(tmp_path / "one", [first])) == set()
    more = objects(1)
    assert check(sealed_log(tmp_path / "lacks", [first, more])) == set(first)


def test_an_object_that_was_flawed_when_it_was_sealed_is_named_without_the_log_too():
    (key,) = an_object()
    leaf = SealedObject.of(key, "v", b"x", "line 1: header").leaf()
    checked = check_leaves(None, "00000001.jsonl", 3, [leaf])
    assert checked.problems == [
        Discrepancy(key, "it was flawed when it was sealed: line 1: header")
    ]


# What is no file that can be read, or none that a leaf could be


def changed_leaf(lines: list[bytes], fields: dict[str, object]) -> int:
    place = next(n for n, each in enumerate(lines) if b'"leaf":"object"' in each)
    document = json.loads(lines[place]) | fields
    lines[place] = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return place + 1


def one_sum(amount: str = "1.00", lines: int = 1) -> list[list[str | int]]:
    return [["b", "EUR", "confirmed", "capture", amount, lines]]


@pytest.mark.parametrize(
    "fields",
    [
        {"sums": one_sum(lines=int("9" * 4_300))},
        {"sums": one_sum(lines=0), "lines": 0},
        {"sums": one_sum(lines=-1), "lines": -1},
        {"sums": one_sum("9" * 39), "lines": 1},
        {"sums": one_sum("9" * 38 + ".00"), "lines": 1},
        {"sums": one_sum("-0.00"), "lines": 1},
        {"sums": one_sum() * 2, "lines": 1},
        {"lines": int("9" * 4_300)},
        {"size": -1},
        {"size": int("9" * 4_300)},
        {"flaw": "and yet it adds up"},
    ],
)
def test_what_is_wrong_with_a_leaf_s_sums_is_said_once_and_counts_its_object(sealed, fields):
    path = sealed.manifests / name_of(3)
    lines = lines_of(path)
    with ExitStack() as stack:
        number = changed_leaf(lines, fields)
        rewrite(stack, path, joined(lines))
        found = check(sealed) - {json.loads(lines[number - 1])["key"]}
        assert found == {name_of(3), f"{name_of(3)}, line {number}"}


@pytest.mark.parametrize(
    "change",
    [
        (b'"lines":2', b'"lines":02'),
        (b'"lines":2', b'"lines": 2'),
        (b'"lines":2', b'"lines":2,"lines":2'),
        (b'"v-', b'"\\u0076-'),
        (b'"v-', b'"\x7f-'),
        (b'"v-', b'"\n-'),
        (b'"v-', b'"\xc3\xa9-'),
        (b"}", b"}\n"),
    ],
)
def test_a_leaf_that_is_written_in_another_way_is_none(sealed, change):
    leaf = next(
        each
        for each in lines_of(sealed.manifests / name_of(1))
        if b'"lines":2' in each and b'"leaf":"object"' in each
    )
    assert read_object_leaf(leaf)
    assert is_as_expected(str(sealed.log), 3, leaf, CheckedLeaves(b""), {})
    changed = leaf.replace(*change)
    with pytest.raises(NotWrittenSoError):
        read_object_leaf(changed)
    assert not is_as_expected(str(sealed.log), 3, changed, CheckedLeaves(b""), {})


def test_taking_a_leaf_apart_comes_to_what_comparing_it_does(sealed, monkeypatch):
    leaves = lines_of(sealed.manifests / name_of(2))[2:]
    others = sum(b'"leaf":"object"' not in each for each in leaves)
    compared = check_leaves(str(sealed.log), name_of(2), 3, leaves, others)
    assert compared.objects == len(leaves) - others
    monkeypatch.setattr(verifier_leaves, "is_as_expected", lambda *_: False)
    assert check_leaves(str(sealed.log), name_of(2), 3, leaves, others) == compared


@pytest.mark.parametrize("leaves", [1, 2, 8, 64])
def test_the_tree_is_the_same_in_whichever_blocks_its_leaves_are_checked(
    small, monkeypatch, leaves
):
    monkeypatch.setattr(verification, "LEAVES_PER_BLOCK", leaves)
    assert check(small) == set()
    path = small.manifests / name_of(2)
    lines = lines_of(path)
    changed_leaf(lines, {"version_id": "another"})
    path.write_bytes(joined(lines))
    assert check(small, versions=None) == {name_of(2)}


@pytest.mark.parametrize("shop", ["bs", "", 'b"s', "b\\s", "b\x01s", "b\x7fs"])
def test_a_leaf_is_as_expected_only_where_its_object_says_what_the_log_can_hold(tmp_path, shop):
    """So nothing of it is anything that JSON would escape."""
    day = "2026-10-01"
    key = f"confirmed/merchant_id=m/date={day}/{OPERATION}.csv"
    uuid = line_uuid(f"{OPERATION}|confirmed|m|{shop}|capture|0")
    line = f"{uuid},r,1.00,EUR,capture,{OPERATION},{day}T10:00:00Z,l,s,{shop},p,,,,,"
    body = "\n".join([HEADER, line, ""]).encode()
    write({key: body}, tmp_path)
    leaf = json.dumps(
        {
            "key": key,
            "leaf": "object",
            "lines": 1,
            "sha256": sha256(body).hexdigest(),
            "size": len(body),
            "sums": [[shop, "EUR", "confirmed", "capture", "1.00", 1]],
            "version_id": "v",
        },
        separators=(",", ":"),
    ).encode()
    unescaped = leaf.replace(json.dumps(shop).encode(), f'"{shop}"'.encode())
    is_sound = shop == "bs"
    for each in (leaf, unescaped):
        assert is_as_expected(str(tmp_path), 3, each, CheckedLeaves(b""), {}) is is_sound
    problems = check_leaves(str(tmp_path), name_of(1), 3, [leaf]).problems
    assert [each.place for each in problems] == ([] if is_sound else [key])
    unread = check_leaves(str(tmp_path), name_of(1), 3, [unescaped]).unread
    assert unread == (shop not in {"bs", ""})


@pytest.mark.parametrize(
    ("amount", "is_one"),
    [
        ("9" * 19, True),
        ("9" * 15 + ".0000", True),
        ("1" + "0" * 19, False),
        ("9" * 16 + ".0000", False),
        ("-0", False),
        ("-0.01", True),
        ("-0.00", False),
        ("0.00", True),
    ],
)
def test_an_amount_of_a_line_has_nineteen_digits_at_most(amount, is_one):
    if is_one:
        assert read_amount(amount, LINE_MAX)
    else:
        with pytest.raises(NotWrittenSoError):
            read_amount(amount, LINE_MAX)


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


@pytest.fixture
def small(tmp_path) -> SealedLog:
    return sealed_log(tmp_path / "small", split(objects(9, 3), 3))


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
        Discrepancy(name_of(3), "missing, and all from there to 99999998.jsonl: 99999996")
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


SPELLINGS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize(
    "text", ["", "=", "\u00e9", "\ud800", "AAAA", 1, None, ["x"], "spare bits", "a line end"]
)
def test_a_signature_is_of_the_key_and_written_in_one_way(small, text):
    """Whatever else is wrong with it, the manifest is read, and nothing else is said."""
    for path in sorted(small.manifests.iterdir()):
        lines = lines_of(path)
        signature = json.loads(lines[1])["signature"]
        if text == "spare bits":
            end = signature.rstrip("=")
            other = SPELLINGS[SPELLINGS.index(end[-1]) ^ 1]
            said = end[:-1] + other + signature[len(end) :]
        else:
            said = signature + "\n" if text == "a line end" else text
        lines[1] = json.dumps(
            {"algorithm": "ECDSA_SHA_256", "signature": said}, sort_keys=True, separators=(",", ":")
        ).encode()
        path.write_bytes(joined(lines))
    assert check(small) == {name_of(1), name_of(2), name_of(3)}


def test_the_twin_of_a_signature_is_as_good_and_changes_nothing(small):
    path = small.manifests / name_of(2)
    lines = lines_of(path)
    r, s = decode_dss_signature(b64decode(json.loads(lines[1])["signature"]))
    twin = b64encode(encode_dss_signature(r, ORDER - s)).decode()
    lines[1] = json.dumps(
        {"algorithm": "ECDSA_SHA_256", "signature": twin}, sort_keys=True, separators=(",", ":")
    ).encode()
    before = verify(small.log, small.manifests, small.public_key)
    path.write_bytes(joined(lines))
    assert verify(small.log, small.manifests, small.public_key) == before
    assert before.problems == []


@pytest.mark.parametrize(
    "text", [b"", b"\xff\n\n\n", b'x\nm-1\n["m-1",' + b"[" * 100_000, b'x\ny\n"m-1"\n']
)
def test_no_proof_is_made_of_what_is_no_manifest(small, tmp_path, text):
    (small.manifests / name_of(2)).write_bytes(text)
    with pytest.raises(InvalidInputError, match=r"00000002\.jsonl is no manifest"):
        command.prove("m-1", small.manifests, tmp_path / "proof.json")


def test_a_proof_is_made_of_all_manifests_and_written_to_a_file(small, tmp_path):
    with pytest.raises(InvalidInputError, match="directory"):
        command.prove("m-1", small.manifests, tmp_path)
    with pytest.raises(InvalidInputError, match="nothing of merchant"):
        command.prove("m-99", small.manifests, tmp_path / "proof.json")
    (small.manifests / name_of(2)).unlink()
    with pytest.raises(InvalidInputError, match=r"00000002\.jsonl is missing"):
        command.prove("m-1", small.manifests, tmp_path / "proof.json")


@pytest.mark.parametrize("key", [b"", b"-----BEGIN PUBLIC KEY-----\n", b"\x30\x00"])
def test_a_key_that_is_none_is_said(sealed, key):
    with pytest.raises(NotWrittenSoError, match="public key"):
        verify(sealed.log, sealed.manifests, key)


def test_another_s_key_signed_none_of_it(sealed):
    done = verify(None, sealed.manifests, public_key_of(OTHER_KEY))
    assert {each.place for each in done.problems} == {name_of(n + 1) for n in range(MANIFESTS)}


def test_it_stands_on_its_own(sealed, tmp_path):
    """Copied elsewhere, with none of our packages to be found."""
    import falcon_balances.audit.verifier as package

    shutil.copytree(Path(package.__file__).parent, tmp_path / "verifier")
    (tmp_path / "key.pem").write_bytes(sealed.public_key)
    program = (
        "import sys, runpy; sys.modules['falcon_balances'] = None;"
        "sys.path.insert(0, sys.argv.pop(1));"
        "runpy.run_module('verifier', run_name='__main__')"
    )
    files = [
        "--log",
        sealed.log,
        "--manifests",
        sealed.manifests,
        "--public-key",
        tmp_path / "key.pem",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, "verify", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["objects"] == 10_010
