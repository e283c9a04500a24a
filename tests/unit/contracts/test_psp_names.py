"""Ids, references, occurrences and revisions, by which a PSP's operations are known."""

from typing import Any

import pytest

from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.operations import Stage
from tests.unit.contracts.messages import (
    RECONCILED,
    SENT_AT,
    code_of,
    message,
    split,
)

WRONG_IDS = [
    "",
    " ",
    "a" * 65,
    "-a",
    ".a",
    "_a",
    ":a",
    "a b",
    "a/b",
    "a|b",
    "a#b",
    "a,b",
    'a"b',
    "a\n",
    "\na",
    "a\r",
    "a\x00",
    "a\x7f",
    "é",
    "ａ",  # noqa: RUF001 - a fullwidth letter is the case
    "a１",  # noqa: RUF001 - so is a fullwidth digit
    "a\u0301",
    "a\u200b",
    "=a",
    "\U0001f600",
]


@pytest.mark.parametrize("value", WRONG_IDS)
@pytest.mark.parametrize(
    "field",
    ["psp_id", "local_merchant_id", "shop_id"],
)
def test_an_id_of_another_form_is_refused(field, value):
    assert code_of(message(**{field: value})) == "E_ID"


@pytest.mark.parametrize("value", WRONG_IDS)
def test_an_id_of_another_form_is_refused_wherever_it_is(value):
    assert code_of(message(splits=[split(local_merchant_id=value)])) == "E_ID"
    assert code_of(message(splits=[split(), split(shop_id=value)])) == "E_ID"


REFERENCES = ("external_reference", "original_reference", "bank_reference")


@pytest.mark.parametrize("field", REFERENCES)
@pytest.mark.parametrize(
    "value",
    [
        "a",
        "~",
        "!",
        "a" * 128,
        "asl8jk23er/234 agw",
        "'#$%&()*;<>?[]^_`{}",
        "a=b+c-d@e",
        ".",
        ":",
    ],
)
def test_a_reference_may_hold_what_psps_write(field, value):
    assert code_of(message(RECONCILED, **{field: value}), Stage.RECONCILED) is None


@pytest.mark.parametrize("field", REFERENCES)
@pytest.mark.parametrize(
    "value",
    [
        "",
        "a" * 129,
        " a",
        "a ",
        " ",
        *(f"a{each}b" for each in '",\\|\n\r\t\x00\x1f\x7fé\u200b'),
        *(f"{each}a" for each in "=+-@"),
        "a\n",
        "ａ",  # noqa: RUF001 - a fullwidth letter is the case
    ],
)
def test_a_reference_of_another_form_is_refused(field, value):
    assert code_of(message(RECONCILED, **{field: value}), Stage.RECONCILED) == "E_ID"


def numbered(field: str, text: str, **more: Any) -> bytes:
    """The number as JSON writes it, which Python would write in another way."""
    return message(**{field: "NUMBER"}, **more).replace(b'"NUMBER"', text.encode())


REVISED = {"occurrence": {}, "revision": {"revised_at": "2026-11-20T00:00:00Z"}}


@pytest.mark.parametrize("field", REVISED)
@pytest.mark.parametrize("text", ["2", "99", "10"])
def test_occurrence_and_revision_are_whole_numbers_from_2_to_99(field, text):
    body = numbered(field, text, **REVISED[field])
    assert code_of(body) is None
    operation = parse_message(body, Stage.CONFIRMED, mode="test", sent_at=SENT_AT)
    assert getattr(operation, field) == int(text)


@pytest.mark.parametrize("field", REVISED)
@pytest.mark.parametrize(
    "text",
    ["1", "0", "-2", "100", "2.0", "2e0", '"2"', "true", "null", "[2]", "9" * 5000, "1e1"],
)
def test_any_other_occurrence_or_revision_is_refused(field, text):
    assert code_of(numbered(field, text, **REVISED[field])) == "E_SCHEMA"
