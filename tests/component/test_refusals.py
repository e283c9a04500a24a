"""Every code that a message can be refused with: raw bytes in quarantine, nothing of it elsewhere.

Each bad message comes first in its batch, and the good one behind it is counted.
"""

import json
from typing import Any

import pytest

from tests.builders import confirmed, context_of, marketplace, raw, reconciled, shop
from tests.component.conftest import forget_adapters

GOOD = raw(confirmed(external_reference="good"))
SPLITS = [shop("5553") | {"amount": "60.00"}, shop("5553") | {"amount": "40.00"}]


def text_of(**changes: Any) -> str:
    return raw(confirmed(**changes)).decode()


def nested(levels: int) -> str:
    return text_of(mode="X").replace('"X"', "[" * levels + "]" * levels)


REFUSED = {
    "E_SIZE": [text_of() + " " * (64 * 1024), "x" * (64 * 1024 + 1)],
    "E_JSON": [
        "",
        "nonsense",
        "[]",
        '"text"',
        "null",
        "17",
        text_of() + "}",
        text_of()[:-1] + ",}",
        text_of(amount="NUMBER").replace('"NUMBER"', "NaN"),
        text_of(amount="NUMBER").replace('"NUMBER"', "-Infinity"),
        text_of(shop_id="\ud800"),
        "\ufeff" + text_of(),
    ],
    "E_DUP_KEY": [
        text_of().replace('"type"', '"type": "refund", "type"'),
        text_of(splits=SPLITS).replace('"amount": "40.00"', '"amount": "40.00", "amount": "1"'),
    ],
    "E_DEPTH": [nested(9), nested(500), nested(30_000)],
    "E_VERSION": [
        text_of(schema_version="2"),
        text_of(schema_version=1),
        text_of(schema_version=None),
        text_of(schema_version="2", amount="wrong"),
        "{}",
    ],
    "E_SCHEMA": [
        text_of(psp_id=None),
        text_of(amount=None),
        text_of(surprise="field"),
        text_of(type="payout"),
        text_of(type=["capture"]),
        text_of(splits=[]),
        text_of(splits=[SPLITS[0]] * 41),
        text_of(splits={"0": SPLITS[0]}),
        text_of(original_reference="X").replace('"X"', "null"),
        text_of(reconciled_date="2026-11-20T10:18:00Z"),
    ],
    "E_ID": [
        text_of(external_reference=""),
        text_of(external_reference="-starts-wrong"),
        text_of(psp_id="a" * 65),
        text_of(shop_id="with space"),
        text_of(shop_id="line\n"),
        text_of(local_merchant_id="५"),
        text_of(original_reference="a,b"),
    ],
    "E_AMOUNT": [
        text_of(amount=100),
        text_of(amount=100.5),
        text_of(amount="0"),
        text_of(amount="0.00"),
        text_of(amount="-1.00"),
        text_of(amount="+1.00"),
        text_of(amount="01.00"),
        text_of(amount="1e3"),
        text_of(amount="1_000"),
        text_of(amount="\uff11"),
        text_of(amount=" 1.00"),
        text_of(amount="1.00\n"),
        text_of(amount="1."),
        text_of(amount=".5"),
        text_of(amount="1" * 16),
        text_of(amount=""),
        text_of(splits=[SPLITS[0], SPLITS[1] | {"marketplace_fee": "-1"}]),
    ],
    "E_CURRENCY": [
        text_of(currency="XYZ"),
        text_of(currency="eur"),
        text_of(currency="XAU"),
        text_of(currency="EURO"),
    ],
    "E_SCALE": [
        text_of(amount="1.001"),
        text_of(amount="1.000"),
        text_of(amount="100.0", currency="JPY"),
        text_of(splits=[SPLITS[0], SPLITS[1] | {"marketplace_fee": "1.001"}]),
    ],
    "E_DATE": [
        text_of(operation_date="2026-11-20"),
        text_of(operation_date="2026-11-20T10:15:30"),
        text_of(operation_date="2026-02-30T10:15:30Z"),
        text_of(operation_date="2026-11-20T24:00:00Z"),
        text_of(operation_date="2026-11-20T10:15:60Z"),
        text_of(operation_date="2026-11-20T10:15:30.1234567891Z"),
        text_of(operation_date="2026-11-20 10:15:30Z"),
        text_of(operation_date="0001-01-01T00:00:00+10:00"),
    ],
    "E_FUTURE": [
        text_of(operation_date="2026-11-20T10:35:01Z"),
        text_of(operation_date="2026-11-20T09:35:01-01:00"),
        text_of(operation_date="9999-12-31T23:59:59Z"),
    ],
    "E_SPLIT_SUM": [
        text_of(splits=SPLITS, amount="100.01"),
        text_of(splits=[SPLITS[0] | {"marketplace_fee": "60.01"}, SPLITS[1]]),
    ],
    "E_MODE": [text_of(mode="live"), text_of(mode="sandbox"), text_of(mode="")],
    "E_UNKNOWN_MERCHANT": [
        text_of(**shop("nobody")),
        text_of(shop_id="another-shop"),
        text_of(psp_id="another-psp"),
        text_of(operation_date="2025-12-31T23:59:59Z"),
        text_of(splits=[SPLITS[0], shop("nobody") | {"amount": "40.00"}]),
        text_of(splits=[SPLITS[0], shop("nobody") | {"amount": "40.00"}], **shop("closed")),
    ],
    "E_MERCHANT_INACTIVE": [
        text_of(**shop("closed")),
        text_of(type="cashback", **shop("closed")),
        raw(marketplace([("5553", "1.00", None)], "1.00", **shop("closed"))).decode(),
        text_of(currency="BHD", amount="1.000", **shop("closed")),
    ],
    "E_NO_BALANCE_SHOP": [
        text_of(currency="BHD", amount="1.000"),
        text_of(type="refund", currency="USD"),
    ],
}
CASES = [(code, body) for code, bodies in REFUSED.items() for body in bodies]


@pytest.fixture
def merchants(aws):
    aws.load(context_of(), context_of("closed", status="inactive"))
    return aws


@pytest.mark.parametrize(
    ("code", "body"), CASES, ids=[f"{code}-{n}" for n, (code, _) in enumerate(CASES)]
)
def test_a_bad_message_ends_in_quarantine_and_the_good_one_behind_it_is_counted(
    merchants, code, body
):
    sent = body.encode("utf-8", "surrogatepass")
    assert merchants.dispatch(sent, GOOD) == []
    merchants.drain()
    [refused] = merchants.quarantined()
    assert refused.code == code
    assert refused.body == sent
    assert refused.key.startswith("confirmed/date=2026-11-20/")
    assert refused.metadata["received_at"] == "2026-11-20T10:20:00Z"
    assert_only_the_good_one_is_known(merchants)


def assert_only_the_good_one_is_known(world) -> None:
    [claim] = world.claims()
    assert claim.texts["external_reference"] == ("good",)
    assert len(world.log()) == len(world.published()) == 1
    assert world.balance() == {"confirmed": 10000, "pending": 10000, "operations_count": 1}


def test_the_reason_names_the_field_and_never_its_value(merchants):
    value = "4111-secret-value"
    bodies = [
        raw(confirmed(**{field: f"!{value}"}))
        for field in ("psp_id", "amount", "currency", "operation_date", "type", "mode")
    ]
    bodies.append(raw(confirmed() | {value: value}))
    merchants.dispatch(*bodies)
    reasons = [refused.metadata["reason"] for refused in merchants.quarantined()]
    assert len(reasons) == len(bodies)
    assert not any("secret" in reason or "4111" in reason for reason in reasons)
    named = {reason.partition(":")[0] for reason in reasons}
    assert named == {
        "psp_id",
        "amount",
        "currency",
        "operation_date",
        "type",
        "mode",
        "(unknown name)",
    }


def test_a_batch_of_nothing_but_bad_messages_is_done(merchants):
    bodies = [body.encode("utf-8", "surrogatepass") for _, body in CASES]
    assert merchants.dispatch(*bodies) == []
    found = {refused.body: refused.code for refused in merchants.quarantined()}
    assert found == dict(zip(bodies, [code for code, _ in CASES], strict=True))
    assert merchants.claims() == []
    assert merchants.log() == {}
    assert merchants.published() == []


def test_a_reconciled_event_is_checked_by_its_own_contract(merchants, monkeypatch):
    monkeypatch.setenv("STAGE", "reconciled")
    forget_adapters()
    bad = {
        "E_SCHEMA": raw(confirmed()),
        "E_ID": raw(reconciled(bank_reference="with|bar")),
        "E_DATE": raw(reconciled(reconciled_date="yesterday")),
        "E_FUTURE": raw(reconciled(reconciled_date="2026-11-20T10:35:01Z")),
    }
    assert merchants.dispatch(*bad.values(), raw(reconciled())) == []
    found = {refused.code: refused for refused in merchants.quarantined()}
    assert {code: refused.body for code, refused in found.items()} == bad
    assert all(refused.key.startswith("reconciled/") for refused in found.values())
    assert [json.loads(json.dumps(record))["stage"] for record in merchants.published()] == [
        "reconciled"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"operation_date": "2026-11-20T10:35:00Z"},
        {"operation_date": "2026-11-20T10:35:00.999999Z"},
        {"type": "refund", **shop("closed")},
        {"type": "chargeback", **shop("closed")},
        {"mode": "test"},
        {"amount": "9" * 15 + ".99"},
        {"amount": "1"},
        {"splits": SPLITS},
    ],
    ids=str,
)
def test_what_is_just_within_the_rules_is_taken(merchants, changes):
    assert merchants.dispatch(raw(confirmed(**changes))) == []
    assert merchants.quarantined() == []
    assert len(merchants.published()) == 1
