"""What can be done to a sealed log and its manifests, and where each must be found."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from falcon_balances.audit.verifier.verification import verify
from tests.audit.sealed import SealedLog

EVENTS = 4_550  # 10,010 objects
PLACES = 50
MANIFESTS = 12
# One at a time takes longer: all fifty in CI.
PLACES_ALONE = PLACES if "CI" in os.environ else 5  # noqa: TID251 - as tests/conftest.py does
# Hundreds of checks of thousands of objects, by lines that other tests run too.
MANY_TIMES = pytest.mark.no_cover


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
