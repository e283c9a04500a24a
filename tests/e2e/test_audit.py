"""The orders of the demo, audited: from the stack to a folder, and there without any AWS."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from falcon_balances.domain.identity import operation_id_of_reference
from falcon_balances.domain.operations import OperationType
from tests.e2e import observed
from tests.e2e.auditing import (
    HLEDGER,
    Auditor,
    beancount_says,
    hledger_says,
    settlement,
    with_a_cent,
    with_another_cent,
)
from tests.e2e.conftest import LocalStack

DATA = Path(__file__).parents[2] / "demo/data"
OBJECTS = 11


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    stack = LocalStack(tmp_path_factory.mktemp("audited") / "home")
    try:
        stack.up()
        assert stack.falcon("merchants", "load", str(DATA / "merchants.jsonl")).returncode == 0
        for stage in ("confirmed", "reconciled"):
            done = stack.falcon(
                "psp", "send", "--stage", stage, "--wait", str(DATA / f"{stage}.jsonl")
            )
            assert done.returncode == 0, done.stderr
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="module")
def sealed(stack):
    """The manifests, when all is sealed: what was written in this very second is not yet."""
    audit = Auditor(stack, Path())
    left = OBJECTS

    def seal() -> bool:
        nonlocal left
        left -= int(audit.ask("seal")["objects"])
        return left == 0

    observed.wait_until(seal, what="everything sealed")
    return manifests(stack)


def manifests(stack):
    listed = stack.target.client("s3").list_objects_v2(Bucket=stack.target.manifest_bucket)
    return [each["Key"] for each in listed.get("Contents", [])]


@pytest.fixture(scope="module")
def auditor(stack, sealed, tmp_path_factory):
    auditor = Auditor(stack, tmp_path_factory.mktemp("auditor"))
    auditor.fetch()
    return auditor


def expected():
    rows = [
        json.loads(line) for line in (DATA / "expected-balances.jsonl").read_text().splitlines()
    ]
    return {row["merchant_id"]: row for row in rows}


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


def operation(kind, reference, psp_id="psp-north"):
    return operation_id_of_reference(psp_id, OperationType(kind), reference)


def test_a_balance_is_explained_by_bucket_and_folder_alike(auditor):
    words = ("explain", "--merchant", "m-books", "--top", "1")
    said = auditor.ask(*words)
    assert auditor.ask(*words, "--log", auditor.log) == said
    (balance,) = said["balances"]
    assert balance["available"] == expected()["m-books"]["available"]
    consists = balance["consists_of"]["available"]
    (largest,) = consists["movements"]
    assert (largest["external_reference"], largest["amount"]) == ("order-1001", "99.00")
    assert [each.partition("/")[0] for each in largest["log_keys"]] == ["confirmed", "reconciled"]
    assert all((auditor.log / each).is_file() for each in largest["log_keys"])
    assert consists["remainder"] == {"movements": 1, "amount": "-40.00"}
    assert "the remainder: 1 movements, -40.00" in auditor.run(*words)
    assert auditor.ask(*words, "--at", "2025-11-04T00:00:00Z")["balances"][0]["available"] == "0.00"


def test_an_operation_s_story_is_whole_on_the_stack(auditor):
    said = auditor.ask("explain", "--operation", operation("capture", "basket-2001"))
    assert said["problems"] == []
    assert [each["stage"] for each in said["stages"]] == ["confirmed", "reconciled"]
    for stage in said["stages"]:
        assert stage["event"]["amount"] == "80.00"
        by_merchant = {each["merchant_id"]: each for each in stage["contexts"]}
        candles = by_merchant["m-candles"]
        assert candles["fees"][0]["percent"] == "1.000000"
        assert candles["fees"][0]["fixed"] == {"EUR": "0.20"}
        assert (candles["fees_expected"], candles["fees_charged"]) == ("0.50", "0.50")
        assert len(stage["segments"]) == 3
        for segment in stage["segments"]:
            assert segment["sealed"]["proof"] == "holds"
            assert segment["in_log"]["sha256"] == segment["sealed"]["sha256"]
            assert segment["in_log"]["version_id"] == segment["sealed"]["version_id"]
            assert segment["counted"]["window"]
    assert (said["blocks"], said["corrected_by"]) == ([], [])
    assert said["open"] == {}
    moved = {each["account"]: each["amount"] for each in said["accounts"]}
    assert moved == {"bank": "80.00", "fee_income": "-1.25", "merchant_available": "-78.75"}
    assert [each["counted"] for each in said["standings"]] == ["26.50", "8.00", "44.25"]
    assert {each["why"][0] for each in said["standings"]} == {"both stages say the same"}


def test_a_folder_alone_says_what_it_cannot_say(auditor):
    refund = operation("refund", "return-1001")
    words = ("explain", "--operation", refund)
    said = auditor.ask(*words, *auditor.files)
    (stage,) = said["stages"]
    assert stage["segments"][0]["sealed"]["proof"] == "holds"
    for told in (stage["claim"], stage["segments"][0]["counted"], said["corrected_by"]):
        assert told.startswith("not looked at: needs the environment")
    assert said["original"]["reference"] == "order-1001"
    said = auditor.ask(*words, "--log", auditor.log)
    sealed = said["stages"][0]["segments"][0]["sealed"]
    assert sealed == "not looked at: needs --manifests"
    told = auditor.run(*words, "--log", auditor.log)
    assert "debits_untraced: taken already, because the PSP confirmed it" in told
    awaited = auditor.ask(*words)
    assert awaited["open"] == {"m-books": "confirmed_only"}


def test_an_object_that_was_edited_or_is_gone_is_named_by_the_story(auditor):
    words = ("explain", "--operation", operation("capture", "order-1002"), *auditor.files)
    (key,) = [each["log_key"] for each in auditor.ask(*words)["stages"][0]["segments"]]
    file = auditor.log / key
    body = file.read_bytes()
    try:
        file.write_bytes(body.replace(b"49.50", b"49.51"))
        problems = auditor.ask(*words, exit_code=3)["problems"]
        assert problems == [{"place": key, "what": "its bytes are not those that were sealed"}]
        file.write_bytes(body.replace(b"49.50", b"049.50"))
        assert "flawed" in auditor.ask(*words, exit_code=3)["problems"][0]["what"]
        file.unlink()
        problems = auditor.ask(*words, exit_code=3)["problems"]
        assert problems == [{"place": key, "what": "it is not in the log"}]
    finally:
        file.write_bytes(body)


def test_a_claim_that_is_missing_is_named_by_the_story(auditor):
    target, captured = auditor.stack.target, operation("capture", "order-1001")
    dynamodb = target.client("dynamodb")
    removed = []
    try:
        for stage in ("reconciled", "confirmed"):
            key = {"falcon_operation_id": {"S": captured}, "stage": {"S": stage}}
            done = dynamodb.delete_item(
                TableName=target.claims_table, Key=key, ReturnValues="ALL_OLD"
            )
            removed.append(done["Attributes"])
            said = auditor.ask("explain", "--operation", captured, exit_code=3)
            assert len(said["problems"]) == len(removed)
            assert {each["what"] for each in said["problems"]} == {
                "it is in the log, and no claim says so"
            }
            told = {each["stage"]: each["claim"] for each in said["stages"]}
            assert told[stage] == "there is none"
    finally:
        for item in removed:
            dynamodb.put_item(TableName=target.claims_table, Item=item)


def test_the_trial_balance_sums_to_zero_in_every_currency(auditor):
    said = auditor.ask("trial-balance", "--log", auditor.log)
    rows = said["accounts"]
    for currency in ("EUR", "JPY"):
        balances = [each["balance"] for each in rows if each["currency"] == currency]
        assert sum(int(each.replace(".", "")) for each in balances) == 0
        assert any(each.strip("-0.") for each in balances)
    # Of the demo's orders one capture, one refund and one yen capture are not reconciled.
    assert [each | {"age": ""} for each in said["open"]] == [
        {"currency": code, "figure": figure, "age": "", "operations": 1, "amount": amount}
        for code, figure, amount in (
            ("EUR", "pending", "49.00"),
            ("JPY", "pending", "1909"),
            ("EUR", "debits_untraced", "40.00"),
        )
    ]


def test_beancount_confirms_every_balance_and_misses_no_cent(auditor):
    journal = auditor.journal("beancount")
    assert journal.count(" balance ") >= 10
    assert beancount_says(journal) == []
    assert "Balance failed" in "".join(beancount_says(with_a_cent(journal)))


@pytest.mark.skipif(HLEDGER is None, reason="hledger is not installed (Debian: hledger)")
def test_hledger_confirms_every_balance_and_misses_no_cent(auditor):
    journal = auditor.journal("hledger")
    assert hledger_says(journal) == ""
    assert "assertion" in hledger_says(with_a_cent(journal))


def settled_orders() -> list[str]:
    lines = (DATA / "reconciled.jsonl").read_text().splitlines()
    return settlement([json.loads(line) for line in lines])


def test_a_settlement_of_the_orders_matches_bucket_and_folder(auditor, tmp_path):
    header, *rows = settled_orders()
    path = tmp_path / "settlement.csv"
    for where in ([], ["--log", auditor.log]):
        path.write_text("\n".join([header, *rows]))
        assert auditor.ask("reconcile", "--statement", path, *where)["matched"] == len(rows)
        path.write_text("\n".join([header, with_another_cent(rows[0]), *rows[1:]]))
        said = auditor.ask("reconcile", "--statement", path, *where, exit_code=3)
        assert [each["difference"] for each in said["open"]] == ["different_amount"]


def test_the_stack_reconciles_what_arrives_and_has_an_alarm(stack):
    s3, bucket = stack.target.client("s3"), stack.target.bank_statement_bucket
    header, *rows = settled_orders()

    def arrive_and_reconcile(*lines: str) -> tuple[dict[str, Any], dict[str, Any]]:
        key = "statements/reconciled/date=2025-11-06/settlement.csv"
        s3.put_object(Bucket=bucket, Key=key, Body="\n".join([header, *lines]).encode())
        name = f"{stack.target.prefix}-reconciler"
        answer = stack.target.client("lambda").invoke(FunctionName=name)
        run = json.loads(answer["Payload"].read())
        report = s3.get_object(Bucket=bucket, Key=run["reports"][0])["Body"].read()
        return run, json.loads(report)

    run, report = arrive_and_reconcile(*rows)
    assert (run["matched"], run["open"], run["invalid"]) == (len(rows), 0, 0)
    assert report["open"] == []
    run, report = arrive_and_reconcile(with_another_cent(rows[0]), *rows[1:])
    assert (run["open"], run["overdue"]) == (1, 1)
    assert report["open"][0]["difference"] == "different_amount"
    alarms = stack.target.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert "NotReconciled" in {each["MetricName"] for each in alarms}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay", "--log", "nowhere"), "is no folder"),
        (("replay", "--stage", "settled"), "--stage"),
        (("replay", "--from", "2026-02-30"), "--from"),
        (("replay", "--at", "yesterday"), "--at"),
        (("replay", "--log", "s3://no-such-bucket"), "NoSuchBucket"),
        (("reconcile", "--statement", "nowhere.csv"), "nowhere.csv"),
        (("reconcile", "--statement", str(DATA / "reconciled.jsonl")), "no column for reference"),
        (("explain", "--merchant", "m-nobody"), "nothing of a merchant m-nobody"),
        (("explain", "--merchant", "../m"), "no merchant has such an id"),
        (("explain", "--merchant", "m-books", "--balance", "bs-no"), "no balance bs-no"),
        (("explain", "--operation", "not-a-uuid"), "not-a-uuid is no falcon_operation_id"),
        (("explain", "--operation", f"{0:08}-0000-5000-8000-{0:012}"), "no operation"),
    ],
)
def test_wrong_input_is_said(auditor, arguments, said):
    done = auditor.stack.falcon("audit", *arguments)
    assert done.returncode in {1, 4}
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_explaining_both_or_neither_is_a_wrong_usage(auditor):
    for words in (
        (),
        ("--merchant", "m-books", "--operation", "x"),
        ("--operation", "x", "--at", "y"),
    ):
        assert auditor.stack.falcon("audit", "explain", *words).returncode == 2
