"""Proofs of what was sealed: whole, of one merchant only, and broken by any change."""

import json
import secrets

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from falcon_balances.audit.proving import prove
from falcon_balances.audit.verifier.proofs import check_proof
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.cli.audit.fetching import _pem
from falcon_balances.domain.errors import IntegrityError
from lambdas.sealer import sealing
from tests.audit.sealed import objects


def test_a_merchant_s_proof_shows_all_of_its_own_and_nothing_of_others(buckets, monkeypatch):
    monkeypatch.setattr(sealing, "secrets", secrets)
    some = objects(9, merchants=3)
    items = list(some.items())
    buckets.put(dict(items))
    buckets.seal(objects_max=1)
    done = buckets.verify()
    assert done.problems == []
    files = sorted((buckets.folder / "m" / "manifests").iterdir())
    for merchant in ("m-0", "m-1", "m-2"):
        document = prove(merchant, files)
        proof = buckets.folder / f"{merchant}.json"
        proof.write_text(json.dumps(document))
        for other in {"m-0", "m-1", "m-2"} - {merchant}:
            assert f"merchant_id={other}/" not in proof.read_text()
            assert f'"{other}"' not in proof.read_text()
        checked = check_proof(
            proof, buckets.public_key, log=buckets.folder / "log", anchor=done.head
        )
        assert checked.problems == []
        assert checked.balances == [
            each for each in done.balances if each["merchant_id"] == merchant
        ]
        assert checked.objects == sum(f"merchant_id={merchant}/" in key for key in some)
    with pytest.raises(IntegrityError, match="no object of merchant"):
        prove("m-9", files)


@pytest.mark.parametrize(
    "tampering", ["leaf kept back", "leaf changed", "path", "claim", "twice", "head"]
)
def test_a_proof_that_was_changed_does_not_hold(buckets, tampering):
    buckets.put(objects(6, merchants=2))
    buckets.seal()
    buckets.verify()
    document = prove("m-0", sorted((buckets.folder / "m" / "manifests").iterdir()))
    leaves = document["objects"]
    match tampering:
        case "leaf kept back":
            del leaves[0]
        case "leaf changed":
            leaves[0] = leaves[0].replace('"size":', '"size":1')
        case "path":
            document["merchant"]["path"][0][1] = "1" * 64
        case "claim":
            document["merchant"] = document["merchants"]
        case "twice":
            leaves.append(leaves[0])
        case "head":
            document["head"] = document["head"].replace("log-bucket", "bog-lucket")
    proof = buckets.folder / "proof.json"
    proof.write_text(json.dumps(document))
    assert check_proof(proof, buckets.public_key).problems


def test_the_public_key_as_pem_is_the_same_key(buckets):
    der = buckets.public_key
    assert load_der_public_key(der) is not None
    (buckets.folder / "log").mkdir()
    buckets.put(objects(1))
    buckets.seal()
    buckets.verify()
    done = verify(buckets.folder / "log", buckets.folder / "m", _pem(der).encode())
    assert done.problems == []
