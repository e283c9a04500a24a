"""A refusal says in words what is expected, never as a regular expression, and never in riddles."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from pydantic import BaseModel, ValidationError

from falcon_balances.contracts import queries
from falcon_balances.contracts.authorizations import RefundAuthorizationRequestV1
from falcon_balances.contracts.blocks import BlockRequestV1
from falcon_balances.contracts.formats import WORDS, expected
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.contracts.refused_samples import refused_samples
from falcon_balances.contracts.samples import CONTRACT_BY_STAGE
from falcon_balances.contracts.schemas import ACCEPTED, CONTRACTS, SCHEMAS
from falcon_balances.contracts.staged_operations import parse_document, parse_message
from falcon_balances.contracts.strictness import StrictModel
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.instants import RFC3339_PATTERN
from falcon_balances.domain.operations import Stage
from tests.unit.contracts.messages import SENT_AT

QUERIES: Final = [
    model
    for name, model in vars(queries).items()
    if name.endswith("Query") and not name.startswith("_") and issubclass(model, BaseModel)
]
REQUESTS: Final[list[type[StrictModel]]] = [BlockRequestV1, RefundAuthorizationRequestV1]
STAGE_OF: Final = {contract: stage for stage, contract in CONTRACT_BY_STAGE.items()} | {
    "payout-request": Stage.PAYOUT,
    "payout-return": Stage.PAYOUT,
    "adjustment": Stage.ADJUSTMENT,
}
# What somebody could send instead of a right value.
WRONG: Final[list[Any]] = [
    *(None, True, 17, -1, 1.5, "", " ", "x y", "é", "-a", "2026-13-45", "1e3", "0", "10.001"),
    *("a\n", "9" * 700, [], ["x"], [{}], {}, {"x": "y"}, [[]] * 41),
]
# Of a regular expression, and of pydantic's own English, which names classes and parsers.
UNREADABLE: Final = re.compile(r"[\\^$\[\]{}]|\(\?|Input should|String should|unable to parse|V1\b")


def is_readable(reason: str) -> bool:
    return UNREADABLE.search(reason) is None and "wrong type" not in reason


def patterns_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for each in node.values():
            yield from patterns_in(each)
    elif isinstance(node, list):
        for each in node:
            yield from patterns_in(each)


def test_every_pattern_that_can_refuse_has_words():
    read = [each.model for each in CONTRACTS if issubclass(each.model, StrictModel)]
    models = [*read, *QUERIES, *REQUESTS]
    found = {each for model in models for each in patterns_in(model.model_json_schema())}
    # RFC 3339 is refused by `parse_date`; `not` is the schema's way to say "above zero".
    assert found - {RFC3339_PATTERN, "^[0.]*$"} == set(WORDS) - {"^[0-9a-f]{64}$"}


def test_words_are_no_regular_expressions():
    assert all(map(is_readable, WORDS.values()))
    assert not any(map(is_readable, WORDS))  # the measure itself sees a pattern


@pytest.mark.parametrize("model", QUERIES)
def test_a_query_is_refused_in_words(model):
    refused = 0
    right = {"month": "2026-11"} if model is queries.TurnoverQuery else {}
    for name, field in model.model_fields.items():
        for value in [*WRONG, "made-up"]:
            try:
                model.model_validate({**right, (field.alias or name): value})
            except ValidationError as error:
                for each in error.errors():
                    refused += 1
                    assert is_readable(expected(each)), (name, value, each)
    assert refused > 10


def test_a_query_names_what_it_lacks_and_what_it_does_not_know():
    with pytest.raises(ValidationError) as caught:
        queries.TurnoverQuery.model_validate({"sourc": "log"})
    assert {expected(each) for each in caught.value.errors()} == {"missing", "unknown field"}


def changed(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The document with a wrong value in each of its fields, those of inner objects too."""
    for name, inner in document.items():
        yield {each: value for each, value in document.items() if each != name}
        yield from ({**document, name: value} for value in WRONG)
        items = inner if isinstance(inner, list) else [inner]
        for each in items[:1]:
            if isinstance(each, dict):
                for other in changed(each):
                    yield {**document, name: [other] if isinstance(inner, list) else other}
    yield {**document, "made_up": "x"}


def refusals_of(contract: str) -> Iterator[str]:
    for path in sorted((SCHEMAS / ACCEPTED / contract).glob("*.json")):
        for document in changed(json.loads(path.read_bytes())):
            try:
                if contract == "merchant-context":
                    parse_merchant_context(document)
                else:
                    parse_document(document, STAGE_OF[contract])
            except RejectedOperation as rejected:
                yield rejected.reason


@pytest.mark.parametrize("contract", [*sorted(STAGE_OF), "merchant-context"])
def test_a_document_is_refused_in_words(contract):
    reasons = set(refusals_of(contract))
    assert len(reasons) > 10
    assert [reason for reason in sorted(reasons) if not is_readable(reason)] == []


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (
            BlockRequestV1,
            {
                "balance_shop_id": "bs-1",
                "amount": "9.00",
                "currency": "EUR",
                "purpose": "manual",
                "reference": "case-17",
                "expires_in_seconds": 60,
            },
        ),
        (
            RefundAuthorizationRequestV1,
            {
                "psp_id": "psp-north",
                "external_reference": "return-1",
                "local_merchant_id": "5001",
                "shop_id": "books-web",
                "amount": "9.00",
                "currency": "EUR",
                "attempt": 2,
            },
        ),
    ],
)
def test_a_request_of_a_system_is_refused_in_words(model, body):
    model.validated(body)
    reasons = set()
    for document in changed(body):
        try:
            model.validated(document)
        except RejectedOperation as rejected:
            reasons.add(rejected.reason)
    assert len(reasons) > 10
    assert [reason for reason in sorted(reasons) if not is_readable(reason)] == []


def test_a_published_sample_is_refused_in_words():
    reasons = set()
    for sample in refused_samples():
        stage = STAGE_OF.get(sample.contract, Stage.CONFIRMED)
        try:
            parse_message(sample.raw, stage, mode="test", sent_at=SENT_AT)
        except RejectedOperation as rejected:
            reasons.add(rejected.reason)
    assert len(reasons) > 20
    assert [reason for reason in sorted(reasons) if not is_readable(reason)] == []


def test_an_amount_as_a_number_is_refused_with_what_is_expected():
    plain = SCHEMAS / ACCEPTED / "confirmed-operation/plain-capture.json"
    document = json.loads(plain.read_bytes()) | {"amount": 100}
    with pytest.raises(RejectedOperation) as caught:
        parse_document(document, Stage.CONFIRMED)
    assert caught.value.reason == (
        "amount: must be a JSON string: up to 15 digits, optionally with a point and decimals, "
        "such as 100.00"
    )
