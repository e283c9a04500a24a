"""Where few of many merchants move in each manifest, the tree binds all others."""

import json
from random import Random

import pytest

from falcon_balances.audit.proving import prove
from falcon_balances.audit.verifier.proofs import check_proof
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.domain.log_keys import merchant_of
from tests.audit.sealed import objects, sealed_log, split
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


def test_a_manifest_has_leaves_of_its_own_merchants_only(tmp_path):
    parts = split(objects(60, merchants=MERCHANTS), 12)
    made = sealed_log(tmp_path / "s", parts)
    for part, path in zip(parts, sorted(made.manifests.iterdir()), strict=True):
        documents = map(json.loads, lines_of(path)[2:])
        named = [each["merchant_id"] for each in documents if each["leaf"] == "merchant"]
        assert named == sorted({str(merchant_of(key)) for key in part})


def test_after_a_missing_manifest_nothing_is_said_of_merchants(tmp_path):
    """Their leaves cannot be calculated any more."""
    made = sealed_log(tmp_path / "s", split(objects(60, merchants=MERCHANTS), 6))
    (made.manifests / "00000002.jsonl").unlink()
    done = verify(None, made.manifests, made.public_key)
    assert {each.place for each in done.problems if "line" in each.place} == set()
    assert "00000002.jsonl" in {each.place for each in done.problems}
