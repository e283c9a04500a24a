"""A currency leaves ISO 4217: nothing new in it is accepted, what was accepted can be finished."""

from typing import Any

import pytest

from falcon_balances.contracts import strictness
from falcon_balances.contracts.currencies import find_currency
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.operations import Stage
from tests.builders import confirmed, reconciled
from tests.unit.contracts.direct_messages import ADJUSTMENT, REQUEST, RETURN
from tests.unit.contracts.messages import SENT_AT, code_of, message

LEFT = "RON"


@pytest.fixture(autouse=True)
def left(monkeypatch):
    monkeypatch.setattr(
        strictness, "find_currency", lambda code: None if code == LEFT else find_currency(code)
    )


@pytest.mark.parametrize(
    ("stage", "document"),
    [
        (Stage.RECONCILED, reconciled()),
        (Stage.PAYOUT, REQUEST),
        (Stage.PAYOUT, RETURN),
        (Stage.ADJUSTMENT, ADJUSTMENT),
    ],
    ids=["reconciled", "request", "return", "adjustment"],
)
def test_what_finishes_something_is_accepted(stage: Stage, document: dict[str, Any]):
    body = message(document, currency=LEFT)
    assert parse_message(body, stage, mode="test", sent_at=SENT_AT).amount.currency.code == LEFT
    assert code_of(message(document, currency="DEM"), stage) == "E_CURRENCY"


def test_what_is_new_is_refused():
    assert code_of(message(confirmed(), currency=LEFT), Stage.CONFIRMED) == "E_CURRENCY"
    assert code_of(message(confirmed()), Stage.CONFIRMED) is None
