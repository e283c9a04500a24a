"""Bad messages on the real path, and wrong files at the command line: named, and without effect."""

import json
from collections import Counter
from dataclasses import dataclass

import pytest

from falcon_balances.domain.errors import RejectionCode
from tests.e2e import observed
from tests.e2e.bad_messages import BadMessage, bad_messages
from tests.e2e.bad_values import ADJUSTMENT, MERCHANTS, OPENINGS, PSP, REQUEST
from tests.e2e.events import Document, confirmed, context, jsonl, reconciled

STAGES = ("confirmed", "reconciled", "adjustment", "payout")
PSP_STAGES = ("confirmed", "reconciled")
DIRECT = {"payout": ("payout_id", REQUEST), "adjustment": ("adjustment_id", ADJUSTMENT)}
BAD = bad_messages()


@dataclass(frozen=True)
class Outcome:
    """What `psp send` said per stage, and what is new in the stack since before."""

    answers: dict[str, Document]
    refused: list[observed.Refused]
    claims: set[tuple[str, str]]
    log: dict[str, observed.LoggedObject]
    records: list[Document]
    marks: set[tuple[str, str]]


def write(path, texts):
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return str(path)


def good(stage: str, number: int) -> str:
    if stage not in PSP_STAGES:
        changes = {"merchant_id": "m-bad-good", "balance_shop_id": "bs-bad-good", "amount": "0.01"}
        field, event = DIRECT[stage]
        return json.dumps(event | changes | {field: f"good-{number}"})
    event = confirmed(PSP, f"good-{number}", "bad-good", "1.00")
    return json.dumps(reconciled(event) if stage == "reconciled" else event)


def bad_of(stage: str) -> list[BadMessage]:
    return [message for message in BAD if message.stage == stage]


@pytest.fixture(scope="module")
def outcome(stack, falcon, tmp_path_factory):
    """Every bad message of a stage in one file, each with a good one behind it."""
    folder = tmp_path_factory.mktemp("bad")
    loaded = falcon("merchants", "load", jsonl(folder / "merchants.jsonl", MERCHANTS))
    assert loaded.returncode == 0, loaded.stderr
    for stage, event in OPENINGS:
        observed.send(stack, stage, [json.dumps(event)])
        observed.drain(stack)
    refused, claims, marks = (
        observed.quarantined(stack),
        observed.claims(stack),
        observed.marks(stack),
    )
    log, records = observed.log_objects(stack), observed.segments_on_stream(stack)
    answers = {}
    for stage in STAGES:
        texts = [
            text
            for number, message in enumerate(bad_of(stage))
            for text in (message.text, good(stage, number))
        ]
        file = write(folder / f"{stage}.jsonl", texts)
        done = falcon("psp", "send", "--stage", stage, "--no-check", "--wait", "--json", file)
        assert done.returncode == 0, done.stderr
        answers[stage] = json.loads(done.stdout)
    now = observed.log_objects(stack)
    assert {key: now[key] for key in log} == log
    return Outcome(
        answers,
        [each for each in observed.quarantined(stack) if each not in refused],
        observed.claims(stack) - claims,
        {key: logged for key, logged in now.items() if key not in log},
        [each for each in observed.segments_on_stream(stack) if each not in records],
        observed.marks(stack) - marks,
    )


@pytest.mark.parametrize("message", BAD, ids=lambda message: message.rule)
def test_a_bad_message_lies_in_quarantine_with_its_code_and_raw_bytes(outcome, message):
    body = message.text.encode()
    (found,) = [each for each in outcome.refused if each.body == body]
    assert found.code == message.code
    assert found.key.startswith(f"{message.stage}/date=")
    field, _, rule = found.reason.partition(": ")
    assert field, rule


def test_every_code_of_a_message_is_among_them():
    """But for a revision whose predecessor did not come: that takes twenty hours."""
    others = {RejectionCode.RECORD, RejectionCode.REVISION}
    assert {message.code for message in BAD} == set(RejectionCode) - others


@pytest.mark.parametrize("stage", STAGES)
def test_the_command_names_the_line_and_the_code_of_each(outcome, stage):
    said = [(each["line"], each["code"]) for each in outcome.answers[stage]["quarantine"]]
    bad = bad_of(stage)
    assert said == [(2 * number + 1, each.code) for number, each in enumerate(bad)]
    assert outcome.answers[stage]["counted"] == len(bad)
    assert outcome.answers[stage]["pending"] == 0


def test_every_message_is_acknowledged_and_none_is_a_dead_letter(stack, outcome):
    assert observed.in_flight(stack) == 0


def test_nothing_else_lies_in_quarantine(outcome):
    assert Counter(each.body for each in outcome.refused) == Counter(
        message.text.encode() for message in BAD
    )


def test_of_the_bad_ones_nothing_is_in_claims_log_stream_or_marks(outcome):
    """What is new belongs to the good ones behind them, and there is one of each."""
    sent = sum(len(bad_of(stage)) for stage in STAGES)
    assert len(outcome.claims) == len(outcome.log) == len(outcome.records) == sent
    assert {merchant for merchant, _ in outcome.marks} == {"m-bad-good"}
    assert len(outcome.marks) == sent
    assert all(b",good-" in logged.body for logged in outcome.log.values())
    assert {record["merchant_id"] for record in outcome.records} == {"m-bad-good"}


def test_the_good_ones_behind_them_are_counted_and_the_bad_ones_are_not(falcon, outcome):
    def balance(merchant):
        (only,) = json.loads(falcon("balance", merchant, "--json").stdout)["balances"]
        return only

    counts = {stage: len(bad_of(stage)) for stage in STAGES}
    assert balance("m-bad-good")["confirmed"] == f"{counts['confirmed']}.00"
    assert balance("m-bad-good")["reconciled"] == f"{counts['reconciled']}.00"
    assert balance("m-bad")["confirmed"] == balance("m-bad")["reconciled"] == "1.00"
    for merchant in ("m-bad-yen", "m-bad-dinar", "m-bad-closed"):
        assert falcon("balance", merchant).returncode == 1


def state(stack):
    """Everything that a load or a send could change."""
    return (
        observed.items(stack, stack.context_table),
        observed.claims(stack),
        observed.marks(stack),
        [each.key for each in observed.quarantined(stack)],
        observed.in_flight(stack),
    )


FIRST = context("file-psp", "file")
LATER = {"effective_from": "2999-01-01T00:00:00Z"}
BAD_LOADS = {
    "broken JSON": ([FIRST, '{"schema_version": "1"'], "2: E_JSON message"),
    "no object": ([FIRST, "[]"], "2: E_JSON message"),
    "a key twice": (['{"psp_id": "a", "psp_id": "b"}'], "1: E_DUP_KEY message"),
    "unknown field": ([FIRST, FIRST | LATER | {"note": "x"}], "2: E_SCHEMA note"),
    "missing field": ([{k: v for k, v in FIRST.items() if k != "status"}], "1: E_SCHEMA status"),
    "unknown status": ([FIRST | {"status": "asleep"}], "1: E_SCHEMA status"),
    "wrong id": ([FIRST, FIRST | LATER | {"merchant_id": "a b"}], "2: E_ID merchant_id"),
    "wrong date": ([FIRST | {"effective_from": "yesterday"}], "1: E_DATE effective_from"),
    "no balance shop": ([FIRST | {"balance_shops": {}}], "1: E_SCHEMA balance_shops"),
    "unknown currency": ([FIRST | {"balance_shops": {"ZZZ": "x"}}], "1: E_CURRENCY balance_shops"),
    "a percent as a number": (
        [FIRST | {"fees": [{"type": "psp_fee", "on": "capture", "percent": 1}]}],
        "1: E_AMOUNT fees.0.percent",
    ),
    "six fees": (
        [FIRST | {"fees": [{"type": "psp_fee", "on": "capture", "percent": "1"}] * 6}],
        "1: E_SCHEMA fees",
    ),
    "a conflict within the file": (
        [FIRST, FIRST | {"merchant_id": "m-other"}],
        "2: refused effective_from",
    ),
    "a conflict with what is known": (
        [context(PSP, "bad", status="inactive")],
        "1: refused effective_from",
    ),
    "a past version of a known key": (
        [context(PSP, "new-one"), context(PSP, "bad", effective_from="2026-02-01T00:00:00Z")],
        "2: refused effective_from",
    ),
}


@pytest.mark.parametrize(("lines", "named"), BAD_LOADS.values(), ids=BAD_LOADS)
def test_a_wrong_merchants_file_loads_nothing_and_names_line_and_field(
    stack, falcon, outcome, tmp_path, lines, named
):
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file = write(tmp_path / "merchants.jsonl", texts)
    before = state(stack)
    done = falcon("merchants", "load", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{file}:{named}" in done.stderr
    assert "nothing was loaded" in done.stderr
    assert state(stack) == before


EVENT = confirmed(PSP, "file-1", "bad", "1.00")
BAD_SENDS = {
    "broken JSON": ([EVENT, "{"], "2: E_JSON message"),
    "unknown field": ([EVENT | {"note": 1}, EVENT], "1: E_SCHEMA note"),
    "amount as a number": ([EVENT, EVENT | {"amount": 1}], "2: E_AMOUNT amount"),
    "another stage's event": ([reconciled(EVENT)], "1: E_SCHEMA"),
    "live": ([EVENT | {"mode": "live"}], "1: E_MODE mode"),
    "splits": ([EVENT | {"splits": [{"amount": "1.00"}]}], "1: E_SCHEMA splits.0."),
}


@pytest.mark.parametrize(("lines", "named"), BAD_SENDS.values(), ids=BAD_SENDS)
def test_a_wrong_events_file_sends_nothing_and_names_line_and_field(
    stack, falcon, outcome, tmp_path, lines, named
):
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file = write(tmp_path / "events.jsonl", texts)
    before = state(stack)
    done = falcon("psp", "send", "--stage", "confirmed", "--wait", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{file}:{named}" in done.stderr
    assert "nothing was sent" in done.stderr
    assert state(stack) == before


COMMANDS = (("merchants", "load"), ("psp", "send", "--stage", "confirmed"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_bytes_that_are_no_text_are_refused_with_their_line(
    stack, falcon, outcome, tmp_path, command
):
    file = tmp_path / "latin-1.jsonl"
    file.write_bytes(b'\n{"psp_id": "caf\xe9"}\n')
    before = state(stack)
    done = falcon(*command, str(file))
    assert done.returncode == 1
    assert f"{file}:2: E_JSON message" in done.stderr
    unchecked = falcon("psp", "send", "--stage", "confirmed", "--no-check", str(file))
    assert unchecked.returncode == 1
    assert "line 2: not UTF-8" in unchecked.stderr
    assert state(stack) == before


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_no_file_is_a_mistake_of_usage(falcon, tmp_path, command):
    for path in (tmp_path, tmp_path / "missing.jsonl"):
        done = falcon(*command, str(path))
        assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_empty_file_is_nothing_to_do(stack, falcon, outcome, tmp_path, command):
    file = write(tmp_path / "empty.jsonl", ["", "  "])
    before = state(stack)
    done = falcon(*command, file)
    assert done.returncode == 0, done.stderr
    assert state(stack) == before
