"""Whatever comes, it is accepted or rejected with a code, and the reason says no value."""

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.operations import PSP_STAGES, Stage
from tests.strategies import few
from tests.unit.contracts.messages import CONFIRMED, OPTIONAL, RECONCILED, SPLIT, raw, rejection

WHOLE = RECONCILED | OPTIONAL | {"splits": [SPLIT | {"marketplace_fee": "1.00"}]}
CONTEXT = {
    "schema_version": "1",
    "psp_id": "psp-1",
    "local_merchant_id": "5553",
    "shop_id": "shop-a",
    "merchant_id": "m-100",
    "balance_shops": {"EUR": "bs-100"},
    "status": "active",
    "effective_from": "2026-01-01T00:00:00Z",
    "fees": [
        {
            "type": "psp_fee",
            "on": "capture",
            "percent": "1.00",
            "fixed": {"EUR": "0.10"},
            "min": {"EUR": "0.20"},
            "max": {"EUR": "9.00"},
        }
    ],
    "risk": "normal",
}
MARKER = "Xq7Marker4111111111111111"

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(("0", "1.00", "1e3", "-1", "EUR", "JPY", "live", "2999-01-01T00:00:00Z", "１")),  # noqa: RUF001
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(list(WHOLE)), inner, max_size=3)
    ),
    max_leaves=8,
)


def check(body: bytes, stage: Stage) -> None:
    rejected = rejection(body, stage)
    if rejected is not None:
        assert rejected.code in RejectionCode
        assert rejected.reason.isprintable()
        assert 0 < len(rejected.reason) < 200


@few
@given(st.binary(max_size=200), st.sampled_from(PSP_STAGES))
def test_any_bytes_are_rejected(body: bytes, stage: Stage):
    check(body, stage)


@few
@given(values, st.sampled_from(PSP_STAGES))
def test_any_json_is_accepted_or_rejected(value: object, stage: Stage):
    check(raw(value), stage)


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any]) -> Any:
    """The document with up to three of its values, at any depth, replaced, taken out or added."""
    changed: Any = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        container = changed
        while True:
            keys = list(container) if isinstance(container, dict) else list(range(len(container)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(container[key], dict | list) and draw(st.booleans()):
                container = container[key]
                continue
            kind = draw(st.integers(0, 3))
            if kind == 0:
                del container[key]
            elif kind == 1 and isinstance(container, dict):
                container[draw(st.text(max_size=10))] = draw(values)
            else:
                container[key] = draw(values)
            break
    return changed


@few
@given(mutated(WHOLE), st.sampled_from(PSP_STAGES))
def test_a_valid_event_changed_anyhow_is_accepted_or_rejected(document: object, stage: Stage):
    check(raw(document), stage)


@few
@given(st.integers(0, len(raw(WHOLE)) - 1), st.integers(0, 255))
def test_a_valid_event_with_a_wrong_byte_is_accepted_or_rejected(position: int, byte: int):
    body = bytearray(raw(WHOLE))
    body[position] = byte
    check(bytes(body), Stage.RECONCILED)
    check(bytes(body[:position]), Stage.RECONCILED)


@few
@given(mutated(CONTEXT))
def test_a_valid_context_changed_anyhow_is_accepted_or_rejected(document: Any):
    try:
        parse_merchant_context(document)
    except RejectedOperation as rejected:
        assert rejected.reason.isprintable()  # noqa: PT017 - many are accepted


def test_the_whole_event_and_context_are_valid_before_they_are_changed():
    assert rejection(raw(WHOLE), Stage.RECONCILED) is None
    assert parse_merchant_context(CONTEXT)


@pytest.mark.parametrize("shape", [MARKER, [MARKER], {"a": MARKER}, {MARKER: "a"}, [[{MARKER: 1}]]])
@pytest.mark.parametrize("field", [*WHOLE, "surplus"])
def test_a_reason_never_says_a_value(field, shape):
    rejected = rejection(raw(WHOLE | {field: shape}), Stage.RECONCILED)
    if rejected is None:  # it has the form of an id
        assert shape == MARKER
        return
    assert MARKER not in rejected.reason
    split = SPLIT | {field: shape}
    rejected = rejection(raw(WHOLE | {"splits": [split]}), Stage.RECONCILED)
    if rejected is not None:
        assert MARKER not in str(rejected)


@pytest.mark.parametrize("field", [*CONTEXT, "surplus"])
@pytest.mark.parametrize(
    "shape", [MARKER, [MARKER], {MARKER: "a"}, {"EUR": MARKER}, [{"fixed": {MARKER: MARKER}}]]
)
def test_a_reason_about_a_context_never_says_a_value(field, shape):
    try:
        parse_merchant_context(CONTEXT | {field: shape})
    except RejectedOperation as rejected:
        assert MARKER not in str(rejected)  # noqa: PT017 - some shapes are ids


@pytest.mark.parametrize(
    "name",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "a4111111111111111",
        "evil\n2026-01-01 ERROR all is well",
        "evil\r",
        "evil\x1b[2J",
        "evil\x00",
        "<script>",
        "${jndi:ldap}",
        "a" * 41,
        "a" * 60_000,
        "é",
        "\U0001f600",
    ],
)
def test_a_field_name_that_could_be_a_value_or_run_is_not_said(name):
    for document in (CONFIRMED | {name: "x"}, CONFIRMED | {name: None}):
        rejected = rejection(raw(document))
        assert rejected is not None
        assert rejected.code == "E_SCHEMA"
        assert rejected.reason.startswith("(unknown name): ")
        assert set(rejected.reason) <= set(string.ascii_letters + "() :_.")


def test_a_field_of_another_name_is_named():
    rejected = rejection(raw(CONFIRMED | {"amuont": "1.00"}))
    assert rejected is not None
    assert rejected.reason == "amuont: unknown field"
    rejected = rejection(raw(WHOLE | {"splits": [SPLIT, SPLIT | {"fee": "1"}]}), Stage.RECONCILED)
    assert rejected is not None
    assert rejected.reason == "splits.1.fee: unknown field"
