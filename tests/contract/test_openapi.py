"""What the committed OpenAPI document promises, the handlers keep: whatever a tool makes of it."""

import os
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from falcon_balances.contracts.problems import Problem
from reference.openapi import MERCHANT, SHOP, document, operations, served_by
from reference.world import MemoryApi, example_world, operation_id_of
from tests.contract.generated_cases import DOCUMENT, OPENAPI, Answers, schema_of
from tests.contract.served import wsgi_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
# The small world has no queues: this one is tried on the embedded AWS.
NOT_SERVED = "/v1/systems/freshness"
CASES_MIN = 5_000
IN_CI = "CI" in os.environ  # noqa: TID251 - as tests/conftest.py does
EXAMPLES = 280 if IN_CI else 15


def test_the_document_is_valid_openapi():
    validate(DOCUMENT)


def test_the_document_is_what_the_code_says():
    assert document() == DOCUMENT


def test_both_apis_have_the_same_reads():
    paths = set(DOCUMENT["paths"])
    reads = {path for path in paths if path.startswith("/v1/merchants/")}
    assert {path.replace("/v1/", "/v1/systems/", 1) for path in reads} < paths
    assert len(reads) == 9


def test_every_example_is_of_its_schema():
    examples = 0
    for _, _, operation in operations(DOCUMENT):
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                if "example" in content:
                    schema = content["schema"] | {"components": DOCUMENT["components"]}
                    jsonschema.validate(content["example"], schema)
                    examples += 1
    assert examples >= 18


def test_every_problem_has_its_page():
    pages = {path.stem for path in (OPENAPI.parents[1] / "docs/problems").glob("*.md")}
    assert pages == {problem.slug for problem in Problem} | {"README"}


@pytest.fixture(scope="module")
def world():
    world = example_world()
    with served_by(world):
        yield world


KNOWN_IDS: dict[str, str] = {"merchant_id": MERCHANT, "balance_shop_id": SHOP}
KNOWN_MONTHS = ("2026-11", "2026-10")
DATES = (("at", "2026-11-21"), ("from", "2026-11-05"), ("to", "2026-11-30"))


GOOD = schema_of("positive", coverage=False)
ANY = schema_of("all", coverage=True)


@GOOD.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> Any:
    """The token is of one merchant, and what a path names is mostly there."""
    said = dict(path_parameters or {})
    for name, value in said.items():
        if name == "month":
            said[name] = KNOWN_MONTHS[len(str(value)) % 2] if str(value) < "5" else value
        elif not str(value).startswith("0"):
            said[name] = KNOWN_IDS[name]
    return said


@GOOD.hook
def map_query(_context: Any, query: dict[str, Any] | None) -> Any:
    """Times of any year are nearly all in the future: brought back to where there is a past."""
    said = dict(query or {})
    for name, day in DATES:
        if name in said:
            said[name] = day + str(said[name])[10:19] + "Z"
    said.pop("cursor", None)
    if "at" in said and said.get("source") != "log":
        said["at"] = "2026-11-21T08:15:00Z"
    if "time_zone" in said:
        said["time_zone"] = "Europe/Berlin" if said.get("source") == "log" else "UTC"
    return said


@pytest.fixture(scope="module")
def answers():
    """Of all routes together enough is asked, and half of it answered well."""
    noted = Answers(GOOD, without=NOT_SERVED)
    yield noted
    if noted.are_of_all_routes:
        asked = sum(noted.statuses.values())
        good = sum(count for status, count in noted.statuses.items() if status < 300)
        assert asked >= (CASES_MIN if IN_CI else 100)
        assert good * 2 >= asked, noted.statuses


def ask(case: schemathesis.Case[Any], world: MemoryApi) -> int:
    """The status of the answer, which is as the document promises."""
    KNOWN_IDS["falcon_operation_id"] = operation_id_of(world, "order-1001")
    KNOWN_IDS["block_id"] = next(iter(world.store.blocks_of(MERCHANT))).block_id
    response = case.call(app=wsgi_of(world))
    case.validate_response(response, checks=CHECKS)
    return response.status_code


def thoroughly(examples: int) -> Any:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("name", ["Method", "Path", "Query", "Body", "X-Anything"])
def test_headers_of_any_name_are_passed_on(name: str, world: MemoryApi) -> None:
    """Schemathesis makes them up: one was called like a parameter of the code that serves it."""
    case = GOOD["/v1/merchants/{merchant_id}/balances"]["GET"].Case(
        path_parameters={"merchant_id": MERCHANT}, headers={name: "a value"}
    )
    assert ask(case, world) == 200


@pytest.mark.no_cover  # thousands of requests, through code that other tests go through too
@GOOD.parametrize()
@thoroughly(EXAMPLES)
def test_no_answer_is_outside_its_schema(
    case: schemathesis.Case[Any], world: MemoryApi, answers: Answers
) -> None:
    if case.path != NOT_SERVED:
        answers.note(case, ask(case, world))


@pytest.mark.no_cover
@ANY.parametrize()
@thoroughly(EXAMPLES // 10)
def test_no_answer_to_anything_at_all_is_outside_its_schema(
    case: schemathesis.Case[Any], world: MemoryApi
) -> None:
    if case.path != NOT_SERVED:
        ask(case, world)
