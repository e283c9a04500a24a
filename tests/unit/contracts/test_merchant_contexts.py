import iso4217
import pytest

from falcon_balances.contracts.currencies import find_currency
from falcon_balances.contracts.merchant_contexts import context_document, parse_merchant_context
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.instants import rfc3339
from tests.unit.contracts.messages import ABSENT

FEE = {"type": "psp_fee", "on": "capture", "percent": "1.00"}
CONTEXT = {
    "schema_version": "1",
    "psp_id": "psp-1",
    "local_merchant_id": "5553",
    "shop_id": "shop-a",
    "merchant_id": "m-100",
    "balance_shops": {"EUR": "bs-100-eur", "JPY": "bs-100-jpy"},
    "status": "active",
    "effective_from": "2026-01-01T01:00:00+01:00",
    "fees": [FEE],
}


def changed(changes: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in (CONTEXT | changes).items() if value is not ABSENT}


def with_fee(**changes: object) -> dict[str, object]:
    fee = {name: value for name, value in (FEE | changes).items() if value is not ABSENT}
    return {"fees": [fee]}


def test_a_context_is_read_in_minor_units_and_utc():
    fee = FEE | {"fixed": {"EUR": "0.1", "JPY": "5"}, "min": {"EUR": "0"}, "max": {"BHD": "1.5"}}
    context = parse_merchant_context(CONTEXT | {"fees": [fee], "risk": "high"})
    assert rfc3339(context.effective_from) == "2026-01-01T00:00:00Z"
    assert context.risk == "high"
    (read,) = context.fees
    assert read.percent_millionths == 1_000_000
    assert (read.fixed, read.minimum, read.maximum) == (
        {"EUR": 10, "JPY": 5},
        {"EUR": 0},
        {"BHD": 1500},
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"fees": []},
        {"fees": [FEE] * 5},
        {"risk": "normal"},
        {"status": "inactive"},
        with_fee(percent="0"),
        with_fee(percent="0.000001"),
        with_fee(percent="100"),
        with_fee(fixed={}),
        with_fee(fixed={"EUR": "0.00"}),
        with_fee(min={"EUR": "1.00"}, max={"EUR": "1.00"}),
        with_fee(min={"EUR": "2.00"}, max={"USD": "1.00"}),
    ],
)
def test_what_keeps_the_contract_is_accepted(changes):
    assert parse_merchant_context(changed(changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"schema_version": "2"}, "E_VERSION"),
        ({"schema_version": ABSENT}, "E_VERSION"),
        *[({name: ABSENT}, "E_SCHEMA") for name in CONTEXT if name != "schema_version"],
        *[({name: None}, "E_SCHEMA") for name in CONTEXT if name != "schema_version"],
        ({"risk": None}, "E_SCHEMA"),
        ({"risk": "low"}, "E_SCHEMA"),
        ({"status": "Active"}, "E_SCHEMA"),
        ({"surplus": "x"}, "E_SCHEMA"),
        ({"fees": [FEE] * 6}, "E_SCHEMA"),
        ({"fees": FEE}, "E_SCHEMA"),
        ({"fees": [None]}, "E_SCHEMA"),
        (with_fee(surplus="x"), "E_SCHEMA"),
        (with_fee(type="marketplace_fee"), "E_SCHEMA"),
        (with_fee(on="withdrawal"), "E_SCHEMA"),
        (with_fee(on=["capture"]), "E_SCHEMA"),
        (with_fee(percent=ABSENT), "E_SCHEMA"),
        (with_fee(fixed=None), "E_AMOUNT"),
        ({"balance_shops": {}}, "E_SCHEMA"),
        ({"balance_shops": []}, "E_SCHEMA"),
        ({"balance_shops": {"EUR": 5}}, "E_SCHEMA"),
        ({"balance_shops": {"EUR": None}}, "E_SCHEMA"),
        ({"merchant_id": "m|100"}, "E_ID"),
        ({"merchant_id": "m-100\n"}, "E_ID"),
        ({"balance_shops": {"EUR": "bs#1"}}, "E_ID"),
        ({"balance_shops": {"EUR": ""}}, "E_ID"),
        (with_fee(percent=1), "E_AMOUNT"),
        (with_fee(percent="1%"), "E_AMOUNT"),
        (with_fee(percent="-1"), "E_AMOUNT"),
        (with_fee(percent="100.000001"), "E_AMOUNT"),
        (with_fee(fixed="0.10"), "E_AMOUNT"),
        (with_fee(fixed={"EUR": 1}), "E_AMOUNT"),
        (with_fee(min={"EUR": "1e3"}), "E_AMOUNT"),
        (with_fee(min={"EUR": "2.00"}, max={"EUR": "1.99"}), "E_AMOUNT"),
        ({"balance_shops": {"eur": "bs"}}, "E_CURRENCY"),
        ({"balance_shops": {"ABC": "bs"}}, "E_CURRENCY"),
        ({"balance_shops": {"XAU": "bs"}}, "E_CURRENCY"),
        (with_fee(fixed={"ABC": "1"}), "E_CURRENCY"),
        (with_fee(max={"eur": "1"}), "E_CURRENCY"),
        (with_fee(percent="0.0000001"), "E_SCALE"),
        (with_fee(fixed={"EUR": "0.001"}), "E_SCALE"),
        (with_fee(min={"JPY": "1.0"}), "E_SCALE"),
        (with_fee(max={"BHD": "1.0000"}), "E_SCALE"),
        ({"effective_from": "2026-01-01"}, "E_DATE"),
        ({"effective_from": "2026-02-30T00:00:00Z"}, "E_DATE"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_code(changes, code):
    with pytest.raises(RejectedOperation) as caught:
        parse_merchant_context(changed(changes))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "changes", [{"balance_shops": {"amount": "bs"}}, with_fee(fixed={"min": "1"})]
)
def test_a_wrong_currency_is_one_whatever_its_name(changes):
    with pytest.raises(RejectedOperation) as caught:
        parse_merchant_context(changed(changes))
    assert caught.value.code == "E_CURRENCY"


def test_a_version_stays_readable_when_its_currency_leaves_the_standard(monkeypatch):
    document = changed(with_fee(fixed={"JPY": "5"}))
    before = parse_merchant_context(document)
    find_currency.cache_clear()
    monkeypatch.setattr(iso4217, "Currency", lambda code: (_ for _ in ()).throw(ValueError(code)))
    assert parse_merchant_context(document) == before
    assert parse_merchant_context(context_document(before)) == before
    find_currency.cache_clear()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"balance_shops": {"BGX": "bs"}}, "balance_shops.BGX: unknown currency (ISO 4217)"),
        (with_fee(max={"ABC": "1"}), "fees.0.max.ABC: unknown currency (ISO 4217)"),
        (with_fee(min={"JPY": "1.0"}), "fees.0.min.JPY: must have at most 0 decimals"),
        (with_fee(min={"EUR": "2"}, max={"EUR": "1"}), "fees.0.min.EUR: must not be above max"),
    ],
)
def test_the_currency_that_is_wrong_is_named(changes, reason):
    with pytest.raises(RejectedOperation) as caught:
        parse_merchant_context(changed(changes))
    assert caught.value.reason == reason


def test_a_key_that_is_no_code_is_not_said():
    for code in ("EURO", "E\x1b[", "4111111111111111", ""):
        with pytest.raises(RejectedOperation) as caught:
            parse_merchant_context(changed({"balance_shops": {code: "bs"}}))
        assert caught.value.reason.startswith("balance_shops.(unknown name): ")


def test_the_canonical_document_says_defaults_and_reads_back_as_itself():
    fee = FEE | {"percent": "1", "fixed": {"JPY": "5", "EUR": "0.1"}, "max": {}}
    document = context_document(parse_merchant_context(CONTEXT | {"fees": [fee]}))
    assert document["effective_from"] == "2026-01-01T00:00:00Z"
    assert document["risk"] == "normal"
    assert document["fees"] == [FEE | {"percent": "1.000000", "fixed": {"EUR": "0.10", "JPY": "5"}}]
    assert context_document(parse_merchant_context(document)) == document
