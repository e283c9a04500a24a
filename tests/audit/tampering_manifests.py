"""What can be done to the manifests of a sealed log, and where each must be found."""

import json

from tests.audit.sealed import OTHER_KEY, sign
from tests.audit.tampering import (
    MANIFESTS,
    joined,
    lines_of,
    put_back,
    rewrite,
)


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
