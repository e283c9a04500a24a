"""A signature is of one key; the verifier and the proofs stand on their own."""

import json
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from falcon_balances.audit.verifier.findings import NotWrittenSoError
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.cli.audit import sealing as command
from falcon_balances.cli.errors import InvalidInputError
from tests.audit.sealed import OTHER_KEY, public_key_of
from tests.audit.tampering import MANIFESTS, check, joined, lines_of
from tests.audit.tampering_manifests import name_of

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
    with pytest.raises(InvalidInputError, match=r"00000002\.jsonl is not a manifest"):
        command.prove("m-1", small.manifests, tmp_path / "proof.json")


def test_a_proof_is_made_of_all_manifests_and_written_to_a_file(small, tmp_path):
    with pytest.raises(InvalidInputError, match="directory"):
        command.prove("m-1", small.manifests, tmp_path)
    with pytest.raises(InvalidInputError, match="no object of merchant"):
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
