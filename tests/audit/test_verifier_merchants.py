"""Where few of many merchants move in each manifest, the tree binds all others."""

import json
from dataclasses import replace
from random import Random

import pytest

from falcon_balances.audit.proving import prove
from falcon_balances.audit.verifier.proofs import check_proof
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.manifests import Manifest
from falcon_balances.domain.merchant_branch import value_of_line
from falcon_balances.domain.merkle import leaf_hash, root_of
from falcon_balances.domain.sealed_objects import canonical
from tests.audit.sealed import objects, sealed_log, sign, split
from tests.audit.tampering import check, lines_of

MERCHANTS = 60


@pytest.mark.parametrize("seed", range(8))
def test_every_merchant_is_proved_at_every_moment(tmp_path, seed):
    rng = Random(seed)
    parts = split(objects(rng.randrange(20, 70), merchants=MERCHANTS), rng.randrange(4, 16))
    made = sealed_log(tmp_path / "s", parts)
    assert check(made) == set()
    files = sorted(made.manifests.iterdir())
    shown = rng.randrange(1, len(files) + 1)
    own: dict[str, int] = {}
    for key in (key for part in parts[:shown] for key in part):
        own[str(merchant_of(key))] = own.get(str(merchant_of(key)), 0) + 1
    for merchant in rng.sample(sorted(own), 5):
        path = tmp_path / "proof.json"
        path.write_text(json.dumps(prove(merchant, files[:shown])))
        done = check_proof(
            path, made.public_key, log=made.log, anchor=made.heads[shown - 1].head.hash
        )
        assert (done.problems, done.objects) == ([], own[merchant])


def test_a_manifest_has_leaves_of_its_own_merchants_and_repeats_few_others(tmp_path):
    """Unchanged, and in a turn of eight manifests each."""
    parts = split(objects(120, merchants=MERCHANTS), 24)
    made = sealed_log(tmp_path / "s", parts)
    latest: dict[str, bytes] = {}
    last_in: dict[str, int] = {}
    for number, (part, path) in enumerate(
        zip(parts, sorted(made.manifests.iterdir()), strict=True)
    ):
        moved = {str(merchant_of(key)) for key in part}
        leaves = {
            json.loads(each)["merchant_id"]: each
            for each in lines_of(path)
            if b'"leaf":"merchant"' in each
        }
        others = {each: leaf for each, leaf in leaves.items() if each not in moved}
        assert set(leaves) >= moved
        assert len(others) <= MERCHANTS / 8 * 2.5
        assert all(latest[each] == leaf for each, leaf in others.items())
        latest |= leaves
        last_in |= dict.fromkeys(leaves, number)
        assert min(last_in.values()) > number - 17


def test_after_a_missing_manifest_nothing_is_said_of_merchants(tmp_path):
    """Their leaves cannot be calculated any more."""
    made = sealed_log(tmp_path / "s", split(objects(60, merchants=MERCHANTS), 6))
    (made.manifests / "00000002.jsonl").unlink()
    done = verify(None, made.manifests, made.public_key)
    assert {each.place for each in done.problems if "line" in each.place} == set()
    assert "00000002.jsonl" in {each.place for each in done.problems}


def test_a_manifest_that_names_a_later_one_is_no_ground_for_a_proof(tmp_path):
    """Nobody need have signed what is in a folder, so each place is checked before it is read."""
    made = sealed_log(tmp_path / "s", split(objects(60, merchants=MERCHANTS), 3))
    files = sorted(made.manifests.iterdir())
    files[-1].unlink()
    files[1].write_bytes(forged(made.heads[1]))
    with pytest.raises(IntegrityError, match="names a line of a later manifest"):
        prove("m-1", files[:2])


def forged(manifest: Manifest) -> bytes:
    """The last root says that all its children are in manifest 3, and everything is hashed anew."""
    leaves = list(manifest.leaves)
    place = next(n for n, each in enumerate(leaves) if b'"prefix":""' in each)
    document = json.loads(leaves[place])
    for child in document["children"]:
        child[2] = 3
    leaves[place] = canonical(document)
    value = value_of_line(leaves[place], document).hex()
    leaves[place + 1] = canonical(json.loads(leaves[place + 1]) | {"root": value})
    head = replace(manifest.head, root=root_of(map(leaf_hash, leaves)).hex())
    return Manifest(head, leaves).signed(sign(head.line()))
