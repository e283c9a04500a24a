"""Whoever gives a merchant its proof can keep nothing from it, and show nothing that is not so."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from falcon_balances.audit.proving import prove
from falcon_balances.audit.verifier.findings import NotWrittenSoError, Verified
from falcon_balances.audit.verifier.proofs import check_proof
from falcon_balances.audit.verifier.sums import FIGURES
from falcon_balances.domain.merkle import leaf_hash
from falcon_balances.domain.sealed_objects import canonical
from generated.logs import objects_of
from tests.audit.definition import defined, world
from tests.audit.sealed import SealedLog, objects, sealed_log, sign, split

MANIFESTS = 4
MERCHANT = "m-1"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> SealedLog:
    """Every manifest has objects of the merchant."""
    return sealed_log(tmp_path_factory.mktemp("sealed") / "s", split(objects(60, 5), MANIFESTS))


@pytest.fixture
def files(sealed) -> list[Path]:
    return sorted(sealed.manifests.iterdir())


@pytest.fixture
def proof(files) -> Document:
    return prove(MERCHANT, files)


@pytest.fixture
def checked(sealed, tmp_path) -> Callable[[Document], Verified]:
    """With the anchor, which is of the true last manifest, and the objects themselves."""

    def check(document: Document) -> Verified:
        path = tmp_path / "proof.json"
        path.write_text(json.dumps(document))
        anchor = sealed.heads[-1].head.hash
        return check_proof(path, sealed.public_key, log=sealed.log, anchor=anchor)

    return check


def said_of(document: Document, checked) -> set[str]:
    return {each.what for each in checked(document).problems}


def claim_of(part: Document) -> Document:
    claim: Document
    (claim,) = (each for each in part["leaves"] if '"leaf":"merchant"' in each["leaf"])
    return claim


def test_what_was_sealed_of_a_merchant_is_proved(proof, checked):
    done = checked(proof)
    assert done.problems == []
    assert (done.manifests, done.objects) == (MANIFESTS, 24)


def test_a_proof_weighs_both_stages_of_the_merchants_operations(tmp_path):
    segments = world(400, 7)
    made = sealed_log(tmp_path / "s", split(objects_of(segments), MANIFESTS))
    path = tmp_path / "proof.json"
    definition = defined(each for each in segments if each.merchant_id == MERCHANT)
    path.write_text(json.dumps(prove(MERCHANT, sorted(made.manifests.iterdir()))))
    for log in (None, made.log):
        done = check_proof(path, made.public_key, log=log)
        assert done.problems == []
        for said, balance in zip(done.balances, definition.values(), strict=True):
            for figure in FIGURES:
                assert int(str(said[figure]).replace(".", "")) == getattr(balance, figure)


@pytest.mark.parametrize("shown", range(1, MANIFESTS))
@pytest.mark.parametrize("heads", ["all", "those shown, and the last", "those shown"])
def test_the_end_cannot_be_left_out_and_the_last_head_put_there(
    files, proof, checked, shown, heads
):
    older = prove(MERCHANT, files[:shown])
    last = proof["manifests"][-1] | {"leaves": []}
    named = {
        "all": proof["heads"],
        "those shown, and the last": [*older["heads"], proof["heads"][-1]],
        "those shown": older["heads"],
    }
    forged = older | {"heads": named[heads], "manifests": [*older["manifests"], last]}
    assert checked(forged).problems
    assert checked(older | {"heads": named[heads]}).problems


@pytest.mark.parametrize("shown", range(1, MANIFESTS))
def test_an_older_claim_does_not_count(files, proof, checked, shown):
    """Neither in its own part nor beside the last one's, nor without the objects in between."""
    older = prove(MERCHANT, files[:shown])
    last = proof["manifests"][-1]
    own = claim_of(last)
    for leaves in ([own], [], [own, own], last["leaves"][:-1]):
        forged = proof | {"manifests": [*older["manifests"], last | {"leaves": leaves}]}
        assert checked(forged).problems
    assert "unreadable: the merchant's own leaf must occur once, in the last part" in {
        each.what.partition("; ")[0]
        for each in checked(
            proof | {"manifests": [*older["manifests"], *proof["manifests"][shown:]]}
        ).problems
    }


@pytest.mark.parametrize("lacking", range(MANIFESTS - 1))
def test_a_part_in_the_middle_cannot_be_left_out(proof, checked, lacking):
    """Nor emptied: the last manifest's leaf counts what was in it."""
    without = list(proof["manifests"])
    part = without.pop(lacking)
    assert "the objects do not add up to the merchant's sealed totals" in said_of(
        proof | {"manifests": without}, checked
    )
    emptied = list(proof["manifests"])
    emptied[lacking] = part | {"leaves": []}
    assert "the part has no leaves" in said_of(proof | {"manifests": emptied}, checked)


def test_two_claims_in_a_part_are_refused_even_where_they_say_the_same(proof, checked):
    last = proof["manifests"][-1]
    last["leaves"].append(claim_of(last))
    assert said_of(proof, checked) == {
        "unreadable: the merchant's own leaf must occur once, in the last part"
    }


def test_objects_signed_later_for_an_older_manifest_are_not_bound_to_the_anchor(proof, checked):
    """By who may sign: other objects that add up to the same. The last head names every other."""
    part = proof["manifests"][0]
    changed = json.loads(part["leaves"][0]["leaf"])
    changed["sha256"] = "0" * 64
    others = [json.loads(each["leaf"]) for each in part["leaves"][1:]]
    leaves = [canonical(each) for each in (changed, *others)]
    # A tree that is a list to the left: as deep as there are leaves.
    root = leaf_hash(leaves[0])
    paths: list[list[list[str]]] = [[]]
    for leaf in leaves[1:]:
        for path in paths:
            path.append(["right", leaf_hash(leaf).hex()])
        paths.append([["left", root.hex()]])
        root = sha256(b"\x01" + root + leaf_hash(leaf)).digest()
    head = canonical(json.loads(part["head"]) | {"root": root.hex()})
    proof["manifests"][0] = {
        "head": head.decode(),
        "signature": canonical({"algorithm": "ECDSA_SHA_256", "signature": sign(head)}).decode(),
        "leaves": [
            {"leaf": leaf.decode(), "path": path} for leaf, path in zip(leaves, paths, strict=True)
        ],
    }
    unbound = "its head is not the one that the next manifest names"
    lacks = "its bytes are not those that were sealed"
    assert said_of(proof, checked) == {unbound, lacks}
    proof["heads"][0] = head.decode()
    assert said_of(proof, checked) == {
        "its `previous` is not the hash of the head before it",
        lacks,
    }


@pytest.mark.parametrize(
    "heads",
    [
        lambda heads: [],
        lambda heads: heads[1:],
        lambda heads: heads[:-1],
        lambda heads: [heads[0], *heads],
        lambda heads: list(reversed(heads)),
        lambda heads: [*heads[:-1], 1],
        lambda heads: [*heads[:-1], "\u00e9"],
        lambda heads: [heads[0].replace("log-bucket", "bog-lucket"), *heads[1:]],
        lambda heads: [heads[0].replace('"sequence":1', '"sequence":' + "9" * 4_300), *heads[1:]],
    ],
)
def test_heads_that_are_no_chain_are_refused(proof, checked, heads):
    assert checked(proof | {"heads": heads(proof["heads"])}).problems


@pytest.mark.parametrize("path", ["head", "signature", "leaves"])
@pytest.mark.parametrize(
    "value",
    [None, 1, "", "\ud800", "\u00e9", [], {}, [[]], [{"leaf": "x", "path": [["left", 1]]}], 1e300],
)
def test_hostile_parts_are_said_and_end_nothing(proof, checked, path, value):
    proof["manifests"][1][path] = value
    assert checked(proof).problems


@pytest.mark.parametrize(
    "changed",
    [
        {"merchant_id": 1},
        {"merchant_id": ""},
        {"merchant_id": "\ud800"},
        {"heads": "abc"},
        {"manifests": {}},
    ],
)
def test_what_is_no_proof_is_said(proof, checked, changed):
    with pytest.raises(NotWrittenSoError, match="is not a proof"):
        checked(proof | changed)
