"""Balances and operations of the demo's orders, explained from the stack and from a folder."""

from falcon_balances.domain.identity import operation_id_of_reference
from falcon_balances.domain.operations import OperationType
from tests.e2e.auditing import (
    expected,
)


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
    assert "the remainder: 1 movement, -40.00" in auditor.run(*words)
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
    assert {each["why"][0] for each in said["standings"]} == {"both stages agree"}


def test_a_folder_alone_says_what_it_cannot_say(auditor):
    refund = operation("refund", "return-1001")
    words = ("explain", "--operation", refund)
    said = auditor.ask(*words, *auditor.files)
    (stage,) = said["stages"]
    assert stage["segments"][0]["sealed"]["proof"] == "holds"
    for told in (stage["claim"], stage["segments"][0]["counted"], said["corrected_by"]):
        assert told.startswith("not checked: requires the environment")
    assert said["original"]["reference"] == "order-1001"
    said = auditor.ask(*words, "--log", auditor.log)
    sealed = said["stages"][0]["segments"][0]["sealed"]
    assert sealed == "not checked: requires --manifests"
    told = auditor.run(*words, "--log", auditor.log)
    assert "debits_untraced: already deducted because the PSP confirmed it" in told
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
                "it is in the log, but no claim names it"
            }
            told = {each["stage"]: each["claim"] for each in said["stages"]}
            assert told[stage] == "none"
    finally:
        for item in removed:
            dynamodb.put_item(TableName=target.claims_table, Item=item)


def test_explaining_both_or_neither_is_a_wrong_usage(auditor):
    for words in (
        (),
        ("--merchant", "m-books", "--operation", "x"),
        ("--operation", "x", "--at", "y"),
    ):
        assert auditor.stack.falcon("audit", "explain", *words).returncode == 2
