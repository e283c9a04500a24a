"""Each manifest goes on in the journals where the one before it ended."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from falcon_balances.audit.verifier.shards import BEGINNING, Shards
from falcon_balances.domain.manifests import Sealed, seal
from tests.audit.sealed import SHARD, at_page, lines_in, sealed_objects, sign
from tests.audit.tampering import check, lines_of
from tests.audit.tampering_manifests import name_of

PLACE = "here"


def position(number: int) -> str:
    return f"{number:012}-{number:064}"


def leaf(after: int = 0, until: int = 3, opened: int = 2, shard_id: str = SHARD) -> dict[str, Any]:
    return {
        "leaf": "shard",
        "shard_id": shard_id,
        "after": position(after),
        "until": position(until),
        "open": position(opened),
    }


def test_manifests_that_go_on_are_right():
    shards = Shards()
    assert position(0) == BEGINNING
    for each in (leaf(), leaf(3, 3, 3), leaf(3, 9, 3)):
        assert shards.problems(PLACE, each) == []
        assert shards.missing(PLACE) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (leaf(2, 5, 4), "is not `until`"),
        (leaf(4, 5, 4), "is not `until`"),
        (leaf(3, 2, 2), "not in order"),
        (leaf(3, 5, 6), "not in order"),
        (leaf(3) | {"until": f"{3:012}-{'a' * 64}"}, "replaced"),
        (leaf(3) | {"until": "3"}, "required form"),
        (leaf(3) | {"until": 3}, "not the leaf"),
        (leaf(3) | {"pages": "3"}, "not the leaf"),
    ],
)
def test_a_leaf_that_does_not_go_on_is_said(wrong, said):
    shards = Shards()
    assert shards.problems(PLACE, leaf()) == shards.missing(PLACE) == []
    [problem] = shards.problems(PLACE, wrong)
    assert problem.place == PLACE
    assert said in problem.what


def test_a_shard_that_is_left_out_or_comes_twice_is_said():
    shards = Shards()
    assert shards.problems(PLACE, leaf()) == []
    [twice] = shards.problems(PLACE, leaf(3))
    assert "two leaves" in twice.what
    assert shards.missing(PLACE) == []
    [missing] = shards.missing(PLACE)
    assert SHARD in missing.what


def test_a_manifest_that_was_signed_with_other_positions_is_found(small):
    """As somebody does who has the key: the manifest leaves out pages of the journal."""
    whole = (small.manifests / name_of(2)).read_bytes()
    first = Sealed.read(whole)
    keys = [
        json.loads(each)["key"]
        for each in lines_of(small.manifests / name_of(3))
        if b'"leaf":"object"' in each
    ]
    some = {key: (small.log / key).read_bytes() for key in keys}
    skipped = replace(first, shards={SHARD: at_page(9)})
    until = small.heads[2].head.sealed_until
    new = list(sealed_objects(some))
    read = partial(lines_in, small.heads)
    manifest, _ = seal("log-bucket", skipped, new, until, bytes(32), {SHARD: at_page(10)}, read)
    path = small.manifests / name_of(3)
    path.write_bytes(manifest.signed(sign(manifest.head.line())))
    [place] = check(small)
    assert place.startswith(f"{path.name}, line ")
