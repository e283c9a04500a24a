"""What public tools make of our OpenAPI, on the embedded AWS: a typed client, and hostile cases."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from falcon_balances.cli.token import merchant_token
from tests.contract.generated_cases import OPENAPI, Answers, schema_of
from tests.e2e import observed
from tests.e2e.events import confirmed, context, jsonl, reconciled

PSP, NAME = "typed-psp", "typed"
GENERATOR = Path(sys.executable).with_name("openapi-python-client")
MERCHANTS = schema_of("all", coverage=False).include(tag="merchants")


@pytest.fixture(scope="module")
def counted(stack, falcon, tmp_path_factory):
    """One merchant with 100.00 EUR, confirmed and reconciled."""
    file = jsonl(tmp_path_factory.mktemp("typed") / "merchants.jsonl", [context(PSP, NAME)])
    loaded = falcon("merchants", "load", file)
    assert loaded.returncode == 0, loaded.stderr
    event = confirmed(PSP, "typed-1", NAME, "100.00")
    observed.send(stack, "confirmed", [json.dumps(event)])
    observed.send(stack, "reconciled", [json.dumps(reconciled(event))])
    observed.drain(stack)
    return stack


@pytest.fixture(scope="module")
def client_package(tmp_path_factory):
    """The client as the public generator writes it, importable while the tests run."""
    folder = tmp_path_factory.mktemp("client")
    done = subprocess.run(
        [
            *(GENERATOR, "generate", "--path", OPENAPI, "--meta", "none"),
            *("--output-path", folder / "falcon_client"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "will be ignored" not in done.stdout, "the generator left an address out"
    sys.path.insert(0, str(folder))
    yield "falcon_client"
    sys.path.remove(str(folder))


def test_a_generated_client_fetches_a_balance(counted, client_package):
    client = importlib.import_module(f"{client_package}.client")
    balances = importlib.import_module(f"{client_package}.api.merchants.merchants_balances")
    operations = importlib.import_module(f"{client_package}.api.merchants.merchants_operations")
    token = merchant_token(counted, f"m-{NAME}")
    with client.AuthenticatedClient(base_url=counted.api_url, token=token) as asking:
        document = balances.sync(client=asking, merchant_id=f"m-{NAME}")
        page = operations.sync(client=asking, merchant_id=f"m-{NAME}", limit=1)
        problem = balances.sync(client=asking, merchant_id="m-another")
    (balance,) = document.balances
    assert (balance.available, balance.currency, balance.operations_count) == ("100.00", "EUR", 2)
    assert page.operations[0].external_reference == "typed-1"
    assert page.next_cursor is not None
    assert problem.status == 404


@pytest.fixture(scope="module")
def answers():
    """Of all routes together much is asked, and the gateway never fails."""
    noted = Answers(MERCHANTS)
    yield noted
    if noted.are_of_all_routes:
        assert sum(noted.statuses.values()) >= 50
        assert max(noted.statuses) < 500


@MERCHANTS.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_over_http_is_outside_its_schema(
    case: schemathesis.Case[Any], counted: Any, token: str, answers: Answers
) -> None:
    if case.path_parameters and "merchant_id" in case.path_parameters:
        case.path_parameters["merchant_id"] = f"m-{NAME}"
    headers = {"Authorization": f"Bearer {token}"}
    response = case.call(base_url=counted.api_url, headers=headers)
    answers.note(case, response.status_code)
    if "x-request-id" not in response.headers:
        # The gateway's own answer, in its own shape: a path with a line feed meets no route.
        assert 400 <= response.status_code < 500
        return
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    case.validate_response(response, checks=checks)


@pytest.fixture(scope="module")
def token(counted):
    return merchant_token(counted, f"m-{NAME}")
