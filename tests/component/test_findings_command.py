"""`falcon ops findings` on moto: what does not fit, and who has looked at it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.findings import DynamoFindings
from falcon_balances.cli import findings as command
from falcon_balances.cli.audit import naming
from falcon_balances.cli.main import app
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.table_keys import ItemKey
from inprocess.aws import BALANCES_TABLE
from tests.audit.logs import MemoryLog
from tests.builders import claim_of, confirmed, context_of, raw

REASON = "seen with the PSP, ticket 4711"
ACKNOWLEDGED = ("--reason", REASON, "--by", "ops-anna")


def refund(number: int, amount: str, shop: str = "5553"):
    said = {"type": "refund", "original_reference": "sale", "external_reference": f"r-{number}"}
    return confirmed(
        **said, amount=amount, local_merchant_id=shop, shop_id=context_of(shop).key.shop_id
    )


@pytest.fixture
def falcon(aws, monkeypatch) -> Any:
    """One sale of 100.00 that was given back one and a half times; another merchant's unknown."""
    target = SimpleNamespace(client=client, balances_table=BALANCES_TABLE)
    monkeypatch.setattr(command, "find_target", lambda _env: target)
    aws.load(context_of(), context_of("b"))
    sold = confirmed(external_reference="sale")
    aws.dispatch(raw(sold), raw(refund(1, "150.00")), raw(refund(2, "1.00", "b")))
    aws.drain()

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["ops", "findings", *words])

    return run


def listed(falcon, *words: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in falcon("list", *words, "--json").stdout.splitlines()]


def kinds(falcon, *words: str) -> list[tuple[str, str]]:
    return sorted((each["merchant_id"], each["kind"]) for each in listed(falcon, *words))


MINE, OTHERS = ("m-5553", "refunded_above_sale"), ("m-b", "unknown_sale")


def test_findings_are_listed_of_everybody_or_of_one(falcon):
    assert kinds(falcon) == [MINE, OTHERS]
    assert kinds(falcon, "--merchant", "m-5553") == [MINE]
    assert kinds(falcon, "--merchant", "m-nobody") == []
    [said] = listed(falcon, "--merchant", "m-5553")
    assert said["reference"] == "sale"
    assert said["amounts"][0]["figures"]["refunded"] == "150.00"
    assert falcon("list").stdout.count("refunded 150.00") == 1


def test_what_is_acknowledged_is_listed_only_when_all_is_asked_for(falcon):
    [said] = listed(falcon, "--merchant", "m-5553")
    done = falcon("acknowledge", said["finding_id"], *ACKNOWLEDGED, "--json")
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "acknowledged")
    assert kinds(falcon) == [OTHERS]
    assert kinds(falcon, "--merchant", "m-5553") == []
    [kept] = listed(falcon, "--merchant", "m-5553", "--all")
    assert (kept["acknowledged_by"], kept["reason"]) == ("ops-anna", REASON)
    assert falcon("list", "--all").exit_code == 1


def test_who_acknowledged_first_stays(falcon):
    [said] = listed(falcon, "--merchant", "m-5553")
    falcon("acknowledge", said["finding_id"], *ACKNOWLEDGED)
    words = ("acknowledge", said["finding_id"], "--reason", "me too", "--by", "ops-ben", "--json")
    again = falcon(*words)
    told = json.loads(again.stdout)
    assert (again.exit_code, told["acknowledged_by"], told["reason"]) == (0, "ops-anna", REASON)


def test_what_changes_afterwards_is_open_again_and_nobody_has_acknowledged_it(falcon, aws):
    [said] = listed(falcon, "--merchant", "m-5553")
    falcon("acknowledge", said["finding_id"], *ACKNOWLEDGED)
    aws.dispatch(raw(refund(3, "5.00")))
    aws.drain()
    [open_again] = listed(falcon, "--merchant", "m-5553")
    assert open_again["amounts"][0]["figures"]["refunded"] == "155.00"
    assert (open_again["status"], open_again.get("acknowledged_by")) == ("open", None)
    assert kinds(falcon) == [MINE, OTHERS]


def test_what_changed_while_somebody_looked_at_it_is_not_acknowledged(falcon, aws, monkeypatch):
    [said] = listed(falcon, "--merchant", "m-5553")
    findings = command._findings
    find = DynamoFindings(client("dynamodb"), BALANCES_TABLE).find

    def late(key: ItemKey) -> Any:
        found = find(key)
        aws.dispatch(raw(refund(3, "5.00")))
        aws.drain()
        return found

    def interrupted(target: Any) -> Any:
        found = findings(target)
        monkeypatch.setattr(found, "find", late)
        return found

    monkeypatch.setattr(command, "_findings", interrupted)
    done = falcon("acknowledge", said["finding_id"], *ACKNOWLEDGED)
    assert (done.exit_code, "changed meanwhile" in str(done.exception)) == (1, True)
    monkeypatch.setattr(command, "_findings", findings)
    assert kinds(falcon) == [MINE, OTHERS]


@pytest.mark.parametrize(
    "finding_id",
    ["", "m-5553", "m-5553:refunded_above_sale:00000000", "m-5553:nonsense:1", ":unknown_sale:1"],
)
def test_a_finding_that_there_is_not_cannot_be_acknowledged(falcon, finding_id):
    done = falcon("acknowledge", finding_id, *ACKNOWLEDGED)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "unknown finding" in str(done.exception)


@pytest.mark.parametrize(
    ("reason", "by"),
    [
        ("seen\nby me", "anna"),
        ("\x1b[2J", "anna"),
        ("\u202ereversed", "anna"),
        ("x" * 201, "anna"),
        ("  ", "anna"),
        ("seen", "an na"),
        ("seen", ""),
    ],
)
def test_a_reason_that_would_hide_something_and_nobody_are_refused(falcon, reason, by):
    [said] = listed(falcon, "--merchant", "m-5553")
    done = falcon("acknowledge", said["finding_id"], "--reason", reason, "--by", by)
    assert (done.exit_code, done.stdout) == (1, "")
    assert listed(falcon, "--merchant", "m-5553") == [said]


def test_an_explanation_names_what_the_table_knows_of_a_merchant_or_an_operation(falcon):
    target: Any = SimpleNamespace(client=client, balances_table=BALANCES_TABLE)
    [said] = listed(falcon, "--merchant", "m-5553")
    falcon("acknowledge", said["finding_id"], *ACKNOWLEDGED)
    [kept] = listed(falcon, "--merchant", "m-5553", "--all")
    log = MemoryLog({})
    assert naming.of_merchant(log, target, "m-5553") == [kept]
    assert naming.of_merchant(log, target, "m-nobody") == []
    claim = claim_of(refund(1, "150.00"))
    [segment] = claim.segments
    [line] = claim.lines_of(segment)
    sales = [SaleKey("m-5553", "payu-ro", "sale")]
    assert naming.of_operation(log, target, line, ["m-5553"], sales) == [kept]
    assert naming.of_operation(log, target, line, ["m-5553"], []) == []


def test_a_dry_run_acknowledges_nothing(falcon):
    [said] = listed(falcon, "--merchant", "m-5553")
    assert falcon("acknowledge", said["finding_id"], *ACKNOWLEDGED, "--dry-run").exit_code == 0
    assert listed(falcon, "--merchant", "m-5553") == [said]


def test_in_a_terminal_of_80_columns_nothing_is_cut(falcon, monkeypatch):
    [said] = listed(falcon, "--merchant", "m-5553")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    lines = falcon("list", "--merchant", "m-5553").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    [head] = [each for each in lines if "finding_id" in each]
    first_column = "".join(each[: head.index("status")].strip() for each in lines)
    assert said["finding_id"] in first_column
