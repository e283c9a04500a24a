"""The command line as a PSP, an operator and a developer use it, from the published samples on."""

import base64
import hashlib
import json

import pytest

from tests.e2e.local_stack import LocalStack


@pytest.fixture(scope="module")
def sampled(local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> LocalStack:
    """The samples that `psp sample` prints, loaded and sent."""
    folder = tmp_path_factory.mktemp("samples")
    merchants = local_stack.falcon("psp", "sample", "--merchants")
    (folder / "merchants.jsonl").write_text(merchants.stdout)
    assert local_stack.falcon("merchants", "load", str(folder / "merchants.jsonl")).returncode == 0
    for stage in ("confirmed", "reconciled"):
        events = local_stack.falcon("psp", "sample", "--stage", stage)
        file = folder / f"{stage}.jsonl"
        file.write_text(events.stdout)
        validated = local_stack.falcon("psp", "validate", str(file), "--json")
        assert validated.returncode == 0, validated.stdout
        sent = local_stack.falcon("psp", "send", "--stage", stage, "--wait", "--json", str(file))
        assert sent.returncode == 0, sent.stderr
        result = json.loads(sent.stdout)
        lines = len(events.stdout.splitlines())
        assert (result["sent"], result["counted"], result["pending"]) == (lines, lines, 0)
    return local_stack


def first_sample(stack: LocalStack) -> dict[str, str]:
    sample = stack.falcon("psp", "sample").stdout.splitlines()[0]
    document: dict[str, str] = json.loads(sample)
    return document


def test_an_operation_is_traced_by_its_reference_and_by_its_id(sampled):
    event = first_sample(sampled)
    words = (event["psp_id"], event["type"], event["external_reference"])
    story = json.loads(sampled.falcon("psp", "trace", *words, "--json").stdout)
    stage = story["stages"][0]
    assert stage["stage"] == "confirmed"
    for segment in stage["segments"]:
        assert segment["log_key"].startswith(f"confirmed/merchant_id={segment['merchant_id']}/")
        assert segment["counted_in_window"]
    told = sampled.falcon("psp", "trace", story["falcon_operation_id"])
    assert told.returncode == 0
    assert stage["segments"][0]["log_key"] in told.stdout
    assert "counted in the window" in told.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("00000000-0000-5000-8000-000000000000",),
        ("demo", "capture", "never-sent"),
        ("demo", "gift", "x"),
        ("not-an-id",),
    ],
)
def test_what_was_never_claimed_has_no_story(sampled, words):
    told = sampled.falcon("psp", "trace", *words)
    assert told.returncode == 1
    assert told.stdout == ""
    assert "Traceback" not in told.stderr


def test_all_balances_are_flat_lines_sorted_by_merchant_and_shop(sampled):
    told = sampled.falcon("balance", "--all", "--json")
    balances = [json.loads(line) for line in told.stdout.splitlines()]
    order = [(each["merchant_id"], each["balance_shop_id"]) for each in balances]
    assert order == sorted(order)
    assert order
    merchant_id = balances[0]["merchant_id"]
    own = [each for each in balances if each["merchant_id"] == merchant_id]
    document = json.loads(sampled.falcon("balance", merchant_id).stdout)
    assert document["merchant_id"] == merchant_id
    assert document["balances"] == [
        {name: value for name, value in each.items() if name not in {"merchant_id", "as_of"}}
        for each in own
    ]
    by_api = json.loads(sampled.falcon("balance", merchant_id, "--api", "--json").stdout)
    assert by_api["balances"] == document["balances"]
    table = sampled.falcon("balance", "--all")
    assert balances[0]["balance_shop_id"] in table.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("balance", "nobody"), 1),
        (("balance", "nobody", "--api"), 1),
        (("balance",), 2),
        (("balance", "m", "--all"), 2),
        (("merchants", "show", "nobody"), 1),
        (("ops", "quarantine", "show", "confirmed/date=2026-01-01/none"), 1),
        (("ops", "quarantine", "list", "--stage", "nowhere"), 1),
        (("ops", "quarantine", "list", "--date", "2026-01-01"), 1),
        (("psp", "sample", "--stage", "nowhere"), 2),
        (("balance", "m", "--env", "UPPER"), 1),
    ],
)
def test_what_is_unknown_or_misused_ends_with_its_exit_code_and_a_sentence(
    sampled, arguments, exit_code
):
    told = sampled.falcon(*arguments)
    assert told.returncode == exit_code, told.stderr
    assert told.stdout == ""
    assert told.stderr.strip()
    assert "Traceback" not in told.stderr


def test_merchants_are_shown_with_their_versions(sampled):
    lines = sampled.falcon("merchants", "show", "--json").stdout.splitlines()
    merchant_ids = {json.loads(line)["merchant_id"] for line in lines}
    assert merchant_ids
    merchant_id = min(merchant_ids)
    assert merchant_id in sampled.falcon("merchants", "show", merchant_id).stdout


def test_a_refused_message_can_be_listed_and_read_back_byte_for_byte(sampled, tmp_path):
    refused = '{"schema_version": "1", "note": "\u202eevil\u202c \u001b[31m"}'
    file = tmp_path / "refused.jsonl"
    file.write_text(refused + "\n")
    checked = sampled.falcon("psp", "validate", str(file))
    assert checked.returncode == 1
    sent = sampled.falcon(
        "psp", "send", "--stage", "confirmed", "--wait", "--no-check", "--json", str(file)
    )
    assert sent.returncode == 0, sent.stderr
    [quarantined] = json.loads(sent.stdout)["quarantine"]
    assert (quarantined["line"], quarantined["code"]) == (1, "E_JSON")
    listed = sampled.falcon("ops", "quarantine", "list", "--stage", "confirmed", "--json")
    digest = hashlib.sha256(refused.encode()).hexdigest()
    keys = [json.loads(line)["key"] for line in listed.stdout.splitlines()]
    [key] = [key for key in keys if key.endswith(digest)]
    shown = json.loads(sampled.falcon("ops", "quarantine", "show", key, "--json").stdout)
    assert base64.b64decode(shown["body_base64"]) == refused.encode()
    assert shown["code"] == "E_JSON"
    for_people = sampled.falcon("ops", "quarantine", "show", key).stdout
    assert "\x1b" not in for_people
    assert "\u202e" not in for_people


def test_a_wait_that_ends_too_early_says_what_is_still_on_its_way(sampled, tmp_path):
    file = tmp_path / "again.jsonl"
    file.write_text(sampled.falcon("psp", "sample").stdout)
    words = ("psp", "send", "--stage", "confirmed", "--wait", "--json", str(file))
    told = sampled.falcon(*words, "--timeout", "0")
    assert told.returncode == 4
    assert json.loads(told.stdout)["pending"] > 0
    assert sampled.falcon(*words).returncode == 0
