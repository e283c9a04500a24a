"""Whoever gives a merchant its proof can keep nothing from it, and show nothing that is not so."""

import json
from collections.abc import Callable
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
ANCHORED = "it is not of the manifest that the anchor names"
NOT_THERE = "the leaf of all merchants is not in the manifest's tree"
UNBOUND = "the objects are not those that the merchant's own leaf binds"


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
def checked(sealed, tmp_path) -> Callable[..., Verified]:
    """With the anchor, which is of the true last manifest, and the objects themselves."""

    def check(document: Document, anchor: str | None = None) -> Verified:
        path = tmp_path / "proof.json"
        path.write_text(json.dumps(document))
        anchor = anchor or sealed.heads[-1].head.hash
        return check_proof(path, sealed.public_key, log=sealed.log, anchor=anchor)

    return check


def said_of(document: Document, checked) -> set[str]:
    return {each.what for each in checked(document).problems}


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
def test_any_sealed_moment_is_proved_and_only_by_its_own_manifest(sealed, files, checked, shown):
    older = prove(MERCHANT, files[:shown])
    assert said_of(older, checked) == {ANCHORED}
    done = checked(older, anchor=sealed.heads[shown - 1].head.hash)
    assert (done.problems, done.manifests) == ([], shown)


@pytest.mark.parametrize("shown", range(1, MANIFESTS))
def test_nothing_of_an_older_proof_stands_for_the_last_one(files, proof, checked, shown):
    """A stale leaf, a stale tree of all merchants, or both, under the last head."""
    older = prove(MERCHANT, files[:shown])
    assert said_of(proof | {"merchant": older["merchant"]}, checked) == {
        "the merchant's own leaf is not in the tree of all merchants",
        "the proof lacks the merchant's own leaf",
    }
    assert NOT_THERE in said_of(proof | {"merchants": older["merchants"]}, checked)
    stale = {"merchants": older["merchants"], "merchant": older["merchant"]}
    assert said_of(proof | stale | {"objects": older["objects"]}, checked) == {NOT_THERE}


@pytest.mark.parametrize("lacking", [0, 7, -1])
def test_no_object_can_be_left_out(proof, checked, lacking):
    del proof["objects"][lacking]
    assert said_of(proof, checked) == {UNBOUND}


def test_objects_cannot_change_places(proof, checked):
    proof["objects"][:2] = reversed(proof["objects"][:2])
    assert said_of(proof, checked) == {UNBOUND}


def test_an_object_is_shown_once(proof, checked):
    proof["objects"].append(proof["objects"][3])
    assert any("is proved twice" in each for each in said_of(proof, checked))


def test_another_object_that_adds_up_to_the_same_is_not_bound(proof, checked):
    changed = json.loads(proof["objects"][0]) | {"sha256": "0" * 64}
    proof["objects"][0] = canonical(changed).decode()
    assert said_of(proof, checked) == {UNBOUND, "its bytes are not those that were sealed"}


def test_another_merchant_s_leaf_proves_nothing_of_this_one(files, proof, checked):
    other = prove("m-2", files)
    assert UNBOUND in said_of(proof | {"merchant": other["merchant"]}, checked)
    assert any(
        "belongs to another" in each for each in said_of(other | {"merchant_id": MERCHANT}, checked)
    )


def test_who_can_sign_cannot_show_another_history_below_the_anchor(proof, checked):
    """A forged leaf of the merchant, right up to a signed head: not that of the anchor."""
    leaf = json.loads(proof["merchant"]["leaf"]) | {"objects": 23}
    root = leaf_hash(canonical(leaf)).hex()
    of_all = canonical(json.loads(proof["merchants"]["leaf"]) | {"root": root})
    head = canonical(json.loads(proof["head"]) | {"root": leaf_hash(of_all).hex()})
    signature = canonical({"algorithm": "ECDSA_SHA_256", "signature": sign(head)})
    forged = {
        "head": head.decode(),
        "signature": signature.decode(),
        "merchants": {"leaf": of_all.decode(), "path": []},
        "merchant": {"leaf": canonical(leaf).decode(), "path": []},
    }
    assert said_of(proof | forged, checked) == {ANCHORED, UNBOUND}


def test_a_proof_grows_with_the_merchant_s_objects_only(proof):
    without = {name: each for name, each in proof.items() if name != "objects"}
    assert len(json.dumps(without)) < 4_096
    assert set(without) == {"merchant_id", "head", "signature", "merchants", "merchant"}


@pytest.mark.parametrize("path", ["head", "signature", "merchants", "merchant"])
@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, "", "\ud800", "\u00e9", [], {}, [[]], 1e300),
        {"leaf": "x", "path": [["left", 1]]},
        {"leaf": "{}", "path": []},
        {"leaf": "[" * 10_000, "path": [["left", "00"]]},
    ],
)
def test_hostile_parts_are_said_and_end_nothing(proof, checked, path, value):
    assert checked(proof | {path: value}).problems


@pytest.mark.parametrize("value", [None, 1, "", "\ud800", "\u00e9", [], {}, "{}", "[" * 10_000])
def test_hostile_objects_are_said_and_end_nothing(proof, checked, value):
    proof["objects"][1] = value
    assert checked(proof).problems


@pytest.mark.parametrize(
    "changed",
    [
        {"merchant_id": 1},
        {"merchant_id": ""},
        {"merchant_id": "\ud800"},
        {"objects": "abc"},
        {"objects": {}},
    ],
)
def test_what_is_no_proof_is_said(proof, checked, changed):
    with pytest.raises(NotWrittenSoError, match="is not a proof"):
        checked(proof | changed)
