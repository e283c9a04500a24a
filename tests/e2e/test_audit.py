"""The orders of the demo, audited: from the stack to a folder, and there without any AWS."""

import json
import os
import subprocess
import sys

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.e2e.auditing import (
    DATA,
    OBJECTS,
    expected,
    manifests,
)


def test_replay_of_bucket_and_folder_give_the_balances_worked_out_by_hand(auditor):
    for where in ([], ["--log", auditor.log]):
        said = auditor.ask("replay", "--balances", *where)
        assert (said["objects"], said["findings"]) == (OBJECTS, [])
        rows = {each["merchant_id"]: each for each in said["balances"]}
        for merchant_id, row in expected().items():
            shared = row.keys() & rows[merchant_id].keys()
            assert {name: rows[merchant_id][name] for name in shared} == {
                name: row[name] for name in shared
            }


def test_log_table_and_api_say_the_same(auditor):
    assert auditor.ask("compare", "--api") == {"balances": 5, "differences": []}


def test_a_figure_of_the_table_that_was_changed_is_found(auditor):
    target = auditor.stack.target
    update = {
        "TableName": target.balances_table,
        "Key": {"pk": {"S": "MERCHANT#m-tea"}, "sk": {"S": "BALANCE#bs-tea-jpy#JPY"}},
        "UpdateExpression": "ADD pending :n",
    }
    dynamodb = target.client("dynamodb")
    dynamodb.update_item(**update, ExpressionAttributeValues={":n": {"N": "1"}})
    try:
        said = auditor.ask("compare", "--api", "--timeout", "0", exit_code=3)
    finally:
        dynamodb.update_item(**update, ExpressionAttributeValues={":n": {"N": "-1"}})
    row = {"merchant_id": "m-tea", "balance_shop_id": "bs-tea-jpy", "currency": "JPY"}
    changed = row | {"figure": "pending", "log": "1909", "there": "1910"}
    assert said["differences"] == [{"with": side} | changed for side in ("table", "api")]


def test_the_log_verifies_and_sealing_again_finds_nothing_new(auditor, sealed):
    done = auditor.verify()
    assert (done["problems"], done["objects"]) == ([], OBJECTS)
    assert auditor.verify("--anchor", done["head"])["problems"] == []
    assert auditor.ask("seal")["manifests"] == []
    assert manifests(auditor.stack) == sealed


def test_nobody_but_the_sealer_signs_whatever_else_they_may(auditor):
    target = auditor.stack.target
    iam = target.client("iam")
    iam.create_user(UserName="signer")
    allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="signer", PolicyName="all", PolicyDocument=document)
    key = iam.create_access_key(UserName="signer")["AccessKey"]
    kms = boto3.client(
        "kms",
        endpoint_url=target.client("kms").meta.endpoint_url,
        region_name=target.client("kms").meta.region_name,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    assert kms.get_public_key(KeyId=target.signing_key_alias)
    with pytest.raises(ClientError, match="kms:Sign"):
        kms.sign(
            KeyId=target.signing_key_alias,
            Message=b"a head",
            MessageType="RAW",
            SigningAlgorithm="ECDSA_SHA_256",
        )


def test_a_merchant_s_proof_holds_and_shows_no_other(auditor, tmp_path):
    proof = tmp_path / "proof.json"
    auditor.run(
        *("prove", "--merchant", "m-pottery"),
        *("--manifests", auditor.folder / "manifests", "--output", proof),
    )
    key = ("--public-key", auditor.folder / "public-key.pem")
    done = auditor.ask("check-proof", proof, *key, "--log", auditor.log)
    assert done["problems"] == []
    (balance,) = done["balances"]
    assert balance["available"] == expected()["m-pottery"]["available"]
    assert "m-candles" not in proof.read_text()
    proof.write_text(proof.read_text().replace("m-pottery", "m-candles"))
    auditor.ask("check-proof", proof, *key, exit_code=3)


def test_the_verifier_is_one_file_that_needs_no_falcon_balances(auditor, tmp_path):
    program = tmp_path / "falcon-verifier.pyz"
    auditor.run("verifier", "--output", program)
    done = subprocess.run(
        [sys.executable, program, "verify", *map(str, auditor.files)],
        env={"PATH": os.environ["PATH"]},  # noqa: TID251 - of a subprocess
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["objects"] == OBJECTS


def test_without_aws_a_tampered_folder_is_found(auditor, tmp_path):
    key = next(each for each in sorted(auditor.log.rglob("*.csv")))
    body = key.read_bytes()
    key.write_bytes(body.replace(b"0", b"1", 1))
    try:
        problems = auditor.verify(exit_code=3)["problems"]
        assert {each["place"] for each in problems} == {str(key.relative_to(auditor.log))}
    finally:
        key.write_bytes(body)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay", "--log", "nowhere"), "is not a folder"),
        (("replay", "--stage", "settled"), "--stage"),
        (("replay", "--from", "2026-02-30"), "--from"),
        (("replay", "--at", "yesterday"), "--at"),
        (("replay", "--log", "s3://no-such-bucket"), "NoSuchBucket"),
        (("reconcile", "--statement", "nowhere.csv"), "nowhere.csv"),
        (("reconcile", "--statement", str(DATA / "reconciled.jsonl")), "no column for reference"),
        (("explain", "--merchant", "m-nobody"), "holds no object of merchant m-nobody"),
        (("explain", "--merchant", "../m"), "not a valid merchant id"),
        (("explain", "--merchant", "m-books", "--balance", "bs-no"), "no balance bs-no"),
        (("explain", "--operation", "not-a-uuid"), "not-a-uuid is not a falcon_operation_id"),
        (("explain", "--operation", f"{0:08}-0000-5000-8000-{0:012}"), "unknown operation"),
    ],
)
def test_wrong_input_is_said(auditor, arguments, said):
    done = auditor.stack.falcon("audit", *arguments)
    assert done.returncode in {1, 4}
    assert said in done.stderr
    assert "Traceback" not in done.stderr
