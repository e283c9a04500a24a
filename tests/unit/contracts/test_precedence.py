"""Of several violations, the one that design §9 lists first gives the code."""

import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from falcon_balances.contracts.decoding import MESSAGE_BYTES_MAX
from falcon_balances.domain.operations import Stage
from tests.unit.contracts.messages import RECONCILED, SPLIT, code_of

Document = dict[str, Any]
Break = Callable[[Document], Document]


def setting(**changes: object) -> Break:
    return lambda document: document | changes


# One way to break each rule that can be broken together with every other one: each touches fields
# of its own. A message whose version is unknown is not read any further, so it comes first.
ON_FIELDS: dict[str, Break] = {
    "E_VERSION": setting(schema_version="2"),
    "E_SCHEMA": setting(surplus="x"),
    "E_ID": setting(psp_id="#"),
    "E_AMOUNT": lambda document: (
        document | {"splits": [*document["splits"], SPLIT | {"amount": "0"}]}
    ),
    "E_CURRENCY": setting(currency="ABC"),
    "E_SCALE": lambda document: (
        document | {"splits": [*document["splits"], SPLIT | {"amount": "1.00001"}]}
    ),
    "E_DATE": setting(operation_date="yesterday"),
    "E_FUTURE": setting(reconciled_date="2999-01-01T00:00:00Z"),
    "E_SPLIT_SUM": setting(amount="0.07"),
    "E_MODE": setting(mode="live"),
}
ON_TEXT: dict[str, Callable[[str], str]] = {
    "E_SIZE": lambda text: text.ljust(MESSAGE_BYTES_MAX + 100),
    "E_JSON": lambda text: text.replace('"bank-1"', "NaN"),
    "E_DUP_KEY": lambda text: text.replace('"type"', '"shop_id": "s", "type"'),
    "E_DEPTH": lambda text: text.replace('"shop-a"', "[" * 20 + "]" * 20),
}
ORDER = ["E_SIZE", "E_JSON", "E_DUP_KEY", "E_DEPTH", *ON_FIELDS]


def broken(*codes: str) -> bytes:
    document = RECONCILED | {"splits": [SPLIT]}
    for code in codes:
        document = ON_FIELDS.get(code, setting())(document)
    text = json.dumps(document)
    for code in codes:
        text = ON_TEXT.get(code, str)(text)
    return text.encode()


def test_the_message_behind_the_violations_is_accepted():
    assert code_of(broken(), Stage.RECONCILED) is None


@pytest.mark.parametrize("code", ORDER)
def test_each_violation_alone_gives_its_code(code):
    assert code_of(broken(code), Stage.RECONCILED) == code


@pytest.mark.parametrize(("first", "second"), list(combinations(ORDER, 2)))
def test_of_two_violations_the_first_of_the_design_gives_the_code(first, second):
    assert code_of(broken(first, second), Stage.RECONCILED) == first
    assert code_of(broken(second, first), Stage.RECONCILED) == first


@pytest.mark.parametrize("start", range(len(ORDER)))
def test_of_all_violations_the_first_of_the_design_gives_the_code(start):
    assert code_of(broken(*ORDER[start:]), Stage.RECONCILED) == ORDER[start]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "0.000"}, "E_AMOUNT"),  # zero is looked for before the scale
        ({"amount": "1.001", "currency": "eur"}, "E_CURRENCY"),
        ({"amount": 1, "currency": "ABC"}, "E_AMOUNT"),
        ({"psp_id": 1, "shop_id": "#"}, "E_SCHEMA"),
        ({"psp_id": None, "amount": "0"}, "E_SCHEMA"),
        ({"operation_date": "2999-01-01T00:00:00Z", "reconciled_date": "x"}, "E_DATE"),
        ({"splits": [SPLIT | {"shop_id": "#", "amount": "0"}]}, "E_ID"),
        ({"splits": [SPLIT | {"amount": "0", "surplus": 1}]}, "E_SCHEMA"),
        ({"splits": [SPLIT | {"marketplace_fee": "1.001"}], "amount": "1"}, "E_SCALE"),
    ],
)
def test_precedence_holds_within_a_field_and_within_a_split(changes, code):
    assert code_of(json.dumps(RECONCILED | changes).encode(), Stage.RECONCILED) == code
