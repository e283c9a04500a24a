"""`falcon merchants load` on moto: what it changes, what it says, and what events make of it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from falcon_balances.adapters.aws import client
from falcon_balances.cli import merchants as command
from falcon_balances.cli.main import app
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from inprocess.aws import BALANCES_TABLE, CONTEXT_TABLE
from tests.builders import Document, confirmed, context_of, raw, reconciled, shop
from tests.component.conftest import forget_adapters
from tests.unit.contracts.messages import ABSENT

LATER = "2999-01-01T00:00:00Z"
LOCAL = "7001"
FEE = {"type": "psp_fee", "on": "refund", "percent": "1"}
KEY = f"psp_id payu-ro, local_merchant_id {LOCAL}, shop_id shop-{LOCAL}"


def context(**changes: Any) -> Document:
    document = {
        "schema_version": "1",
        "psp_id": "payu-ro",
        **shop(LOCAL),
        "merchant_id": "m-old",
        "balance_shops": {"EUR": "bs-old"},
        "status": "active",
        "effective_from": "2026-01-01T00:00:00Z",
        "fees": [],
    }
    return {name: value for name, value in (document | changes).items() if value is not ABSENT}


@pytest.fixture
def load(aws, monkeypatch, tmp_path):
    """Load these documents or texts: exit code, stdout, stderr."""
    target = SimpleNamespace(
        client=client, context_table=CONTEXT_TABLE, balances_table=BALANCES_TABLE
    )
    monkeypatch.setattr(command, "find_target", lambda _env: target)

    def run(*lines: Document | str, options: tuple[str, ...] = ("--json",)) -> Any:
        file = tmp_path / "merchants.jsonl"
        texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
        file.write_text("\n".join(texts), encoding="utf-8")
        return CliRunner().invoke(app, ["merchants", "load", str(file), *options])

    return run


def sale(reference: str = "s-1", **changes: Any) -> Document:
    return confirmed(**{"external_reference": reference, **shop(LOCAL), **changes})


def test_a_load_says_what_was_new_and_the_same_load_again_changes_nothing(load):
    lines = [context(), context(effective_from=LATER, status="inactive")]
    counts = [json.loads(load(*lines).stdout) for _ in range(2)]
    expected = {"lines": 2, "keys": 1, "added": 2, "widened": 0, "known": 0, "moved": []}
    assert counts == [expected, expected | {"added": 0, "known": 2}]


def test_a_sale_in_a_currency_that_is_loaded_afterwards_is_taken_when_it_is_sent_again(load, aws):
    in_dollars = raw(sale(currency="USD"))
    assert load(context()).exit_code == 0
    aws.dispatch(in_dollars)
    assert [refused.code for refused in aws.quarantined()] == ["E_NO_BALANCE_SHOP"]
    wider = context(balance_shops={"EUR": "bs-old", "USD": "bs-old-usd"})
    done = load(wider)
    said = json.loads(done.stdout)
    assert (said["added"], said["widened"], said["known"]) == (0, 1, 0)
    assert "60 s" in done.stderr
    forget_adapters()  # a minute passes, or another process takes the message
    aws.dispatch(in_dollars)
    assert [key.split("/")[1] for key in aws.log()] == ["merchant_id=m-old"]
    [claim] = aws.claims()
    shops = {"EUR": "bs-old", "USD": "bs-old-usd"}
    version = context_of(LOCAL, merchant_id="m-old", balance_shops=shops).claimed_as
    assert claim.context_versions == (version,)


def test_show_tells_every_form_with_its_hash_and_what_it_prints_can_be_loaded(load, aws):
    wider = context(balance_shops={"EUR": "bs-old", "USD": "bs-old-usd"})
    assert load(context(), wider).exit_code == 0
    table = CliRunner().invoke(app, ["merchants", "show"]).stdout
    hashes = [parse_merchant_context(each).content_hash for each in (context(), wider)]
    assert [table.count(each) for each in hashes] == [1, 1]
    printed = CliRunner().invoke(app, ["merchants", "show", "m-old", "--json"]).stdout
    again = json.loads(load(*printed.splitlines()).stdout)
    assert (again["lines"], again["known"]) == (2, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"balance_shops": {"EUR": "bs-new", "USD": "bs-old-usd"}},
        {"balance_shops": {"EUR": "bs-old", "USD": "bs-old-usd"}, "status": "inactive"},
        {"balance_shops": {"USD": "bs-old-usd"}},
    ],
)
def test_a_version_that_says_more_than_another_currency_is_refused_with_line_and_key(load, changes):
    assert load(context()).exit_code == 0
    done = load(context(**shop("7002")), context(**changes))
    assert (done.exit_code, done.stdout) == (1, "")
    assert ":2: refused effective_from: already loaded with other content" in done.stderr
    assert f"({KEY})" in done.stderr
    assert "1 line is wrong" in str(done.exception)
    assert "nothing was loaded" in str(done.exception)


def test_a_key_that_gets_another_merchant_is_said_with_what_the_old_balance_holds(
    load, aws, monkeypatch
):
    assert load(context()).exit_code == 0
    aws.dispatch(raw(sale()), raw(sale("s-2", amount="20.00")))
    monkeypatch.setenv("STAGE", "reconciled")
    forget_adapters()
    aws.dispatch(raw(reconciled(**sale())))
    aws.drain()
    moved = context(merchant_id="m-new", balance_shops={"EUR": "bs-new"}, effective_from=LATER)
    done = load(moved)
    assert done.exit_code == 0
    [said] = json.loads(done.stdout)["moved"]
    [left] = said.pop("old_balances")
    assert said == {
        "psp_id": "payu-ro",
        **shop(LOCAL),
        "old_merchant_id": "m-old",
        "new_merchant_id": "m-new",
        "effective_from": LATER,
    }
    assert (left["balance_shop_id"], left["available"], left["pending"]) == (
        *("bs-old", "100.00"),
        "20.00",
    )
    assert f"warning: {KEY}: belongs to m-new from {LATER} on" in done.stderr
    assert "m-old keeps what was counted before: bs-old: available 100.00 EUR" in done.stderr
    assert "pending 20.00" in done.stderr
    again = load(moved, options=())
    assert (again.exit_code, again.stderr) == (0, "")


def test_a_move_before_anything_was_counted_says_so_and_a_change_of_status_is_none(load):
    assert load(context()).exit_code == 0
    closed = context(effective_from=LATER, status="inactive")
    moved = context(effective_from="2999-02-01T00:00:00Z", merchant_id="m-new")
    done = load(closed, moved, options=())
    assert done.exit_code == 0
    assert done.stderr.count("warning: ") == 1
    assert "m-old keeps what was counted before: nothing was counted yet" in done.stderr
    assert "moved    1" in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (context(balance_shops={"EUR": "a", "BGX": "b"}), "E_CURRENCY balance_shops.BGX: unknown"),
        (context(balance_shops={"EUR": "a b"}), "E_ID balance_shops.EUR: "),
        (
            context(fees=[FEE | {"min": {"QQQ": "1"}}]),
            "E_CURRENCY fees.0.min.QQQ: unknown currency",
        ),
        (
            context(fees=[FEE | {"fixed": {"JPY": "1.0"}}]),
            "E_SCALE fees.0.fixed.JPY: must have at most 0 decimals",
        ),
        (
            context(fees=[FEE | {"min": {"EUR": "2"}, "max": {"EUR": "1"}}]),
            "E_AMOUNT fees.0.min.EUR: must not be above max",
        ),
    ],
)
def test_a_wrong_line_is_named_with_its_key_and_the_currency_that_is_wrong(load, line, said):
    done = load(context(**shop("7002")), line)
    assert done.exit_code == 1
    assert f":2: {said}" in done.stderr
    assert f"({KEY})" in done.stderr


@pytest.mark.parametrize("shop_id", ["\x1b[2J", "a b", 5, None, ["x"], "é", "x" * 65, ABSENT])
def test_of_a_key_no_more_is_said_than_a_terminal_may_show(load, shop_id):
    done = load(context(shop_id=shop_id))
    assert done.exit_code == 1
    assert f"(psp_id payu-ro, local_merchant_id {LOCAL}, shop_id ?)" in done.stderr
