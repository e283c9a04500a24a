"""The balance API: a merchant's own balances, exactly; for everything else the same 404."""

import json
from typing import Any

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from inprocess.aws import BALANCES_TABLE
from lambdas.balance_api import handler as balance_api
from tests.builders import confirmed, context_of, data_of, fee_of, reconciled, record_of, shop
from tests.component.api_calls import NOT_FOUND
from tests.component.lambda_events import event_file, lambda_context
from tests.component.world import utc

PATH = "/v1/merchants/m-5553/balances"
WITH_FEE = context_of(fees=[fee_of("1.00")])


def get(path: str = PATH, method: str = "GET", **claims: Any) -> dict[str, Any]:
    """The answer, with its body parsed; claims as given replace those of the token."""
    event = event_file("http_api.json")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    token = event["requestContext"]["authorizer"]["jwt"]["claims"]
    token |= {name.replace("__", ":"): value for name, value in claims.items()}
    for name in [name for name, value in token.items() if value is None]:
        del token[name]
    answer = balance_api.lambda_handler(event, lambda_context())
    return answer | {"body": json.loads(answer["body"])}


@pytest.fixture
def counted(aws, monkeypatch):
    """The example of design §8: 100.00 with a fee, confirmed and reconciled; and another's."""
    monkeypatch.setattr(balance_api.routes, "now", lambda: utc("2026-11-20T10:15:41.900000"))
    aws.reduce(
        data_of(record_of(confirmed(), WITH_FEE)),
        data_of(record_of(reconciled(), WITH_FEE)),
        data_of(record_of(confirmed(**shop("other")), context_of("other"))),
    )
    return aws


def test_a_merchant_sees_its_balances_as_the_design_writes_them(counted):
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    store.advance_as_of(utc("2026-11-20T10:15:00"))
    answer = get()
    assert answer["statusCode"] == 200
    assert answer["body"] == {
        "merchant_id": "m-5553",
        "as_of": "2026-11-20T10:15:00Z",
        "lag_seconds": 41,
        "balances": [
            {
                "balance_shop_id": "bs-5553-eur",
                "currency": "EUR",
                "confirmed": "99.00",
                "reconciled": "99.00",
                "pending": "0.00",
                "unapplied": "0.00",
                "debits_unconfirmed": "0.00",
                "debits_untraced": "0.00",
                "withdrawn": "0.00",
                "adjusted": "0.00",
                "blocked": "0.00",
                "available": "99.00",
                "operations_count": 4,
            }
        ],
    }


def test_the_answer_is_json_that_nobody_may_store(counted):
    headers = get()["headers"]
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"


def test_before_the_first_complete_cut_as_of_is_null_and_not_a_guess(counted):
    body = get()["body"]
    assert body["as_of"] is None
    assert body["lag_seconds"] is None
    assert body["balances"][0]["confirmed"] == "99.00"


def test_one_balance_shop_can_be_asked_for(counted):
    counted.reduce(
        data_of(record_of(confirmed(currency="JPY", amount="7", external_reference="y")))
    )
    both = get()["body"]["balances"]
    assert [balance["balance_shop_id"] for balance in both] == ["bs-5553-eur", "bs-5553-jpy"]
    answer = get(f"{PATH}/bs-5553-jpy")
    assert answer["statusCode"] == 200
    assert answer["body"]["balances"] == both[1:]
    assert both[1]["confirmed"] == "7"


def test_a_balance_below_zero_is_said_as_it_is(counted):
    record = record_of(confirmed(type="chargeback", amount="250.00", external_reference="cb"))
    counted.reduce(data_of(record))
    assert get()["body"]["balances"][0]["available"] == "-151.00"


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        pytest.param("/v1/merchants/m-other/balances", {}, id="another merchant"),
        pytest.param("/v1/merchants/m-other/balances/bs-other-eur", {}, id="another's shop"),
        pytest.param("/v1/merchants/m-nobody/balances", {}, id="a merchant nobody knows"),
        pytest.param(
            "/v1/merchants/m-nobody/balances",
            {"custom__merchant_id": "m-nobody"},
            id="a merchant without any balance",
        ),
        pytest.param(PATH, {"custom__merchant_id": None}, id="a token without the claim"),
        pytest.param(PATH, {"custom__merchant_id": ""}, id="an empty claim"),
        pytest.param(PATH, {"custom__merchant_id": ["m-5553"]}, id="a claim of another type"),
        pytest.param(PATH, {"custom__merchant_id": "M-5553"}, id="another case"),
        pytest.param(
            PATH, {"custom__merchant_id": None, "merchant_id": "m-5553"}, id="another claim"
        ),
        pytest.param(f"{PATH}/bs-other-eur", {}, id="another's balance shop under the own path"),
        pytest.param(f"{PATH}/bs-nothing", {}, id="an unknown balance shop"),
        pytest.param("/v1/merchants/m-5553", {}, id="an unknown route"),
        pytest.param("/v1/merchants/m-5553/balances/a/b", {}, id="a longer path"),
        pytest.param("/v2/merchants/m-5553/balances", {}, id="an unknown version"),
        pytest.param("/", {}, id="nothing"),
    ],
)
def test_what_is_unknown_and_what_is_another_s_is_answered_alike(counted, path, claims):
    answer = get(path, **claims)
    assert answer["statusCode"] == 404
    assert answer["body"] == NOT_FOUND
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["headers"]["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(counted, method):
    answer = get(method=method)
    assert answer["statusCode"] == 405
    assert answer["headers"]["Allow"] == "GET, HEAD, OPTIONS"


def test_without_an_authorizer_nobody_is_anybody(counted):
    event = event_file("http_api.json")
    del event["requestContext"]["authorizer"]
    answer = balance_api.lambda_handler(event, lambda_context())
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"]) == NOT_FOUND


def test_data_that_cannot_be_had_is_unavailable_and_never_a_zero(counted):
    client("dynamodb").delete_table(TableName=BALANCES_TABLE)
    answer = get()
    assert answer["statusCode"] == 503
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert answer["body"]["status"] == 503
    assert "balances" not in answer["body"]


def test_as_of_is_read_before_the_items(counted, monkeypatch):
    """Else a cut completed between the two reads would promise what the items do not hold."""

    class CountedAndCutFirst(DynamoMerchantReads):
        def balances(self) -> Any:
            late = record_of(confirmed(external_reference="late"))
            counted.reduce(data_of(late))
            store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
            store.advance_as_of(utc("2026-11-20T10:15:30"))
            return super().balances()

    monkeypatch.setattr(balance_api, "DynamoMerchantReads", CountedAndCutFirst)
    body = get()["body"]
    assert body["as_of"] is None
    assert body["balances"][0]["confirmed"] == "199.00"


def test_a_balance_that_makes_no_sense_is_unavailable_too(counted):
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    store.transact([AddCounters(ItemKey("MERCHANT#m-5553", "BALANCE#x#XXX"), {"confirmed": 1})])
    assert get()["statusCode"] == 503
