"""Which pages in a browser may read the API's answers."""

import json

import pytest

from tests.e2e.access import OWN
from tests.e2e.api_world import Served
from tests.e2e.asking import Asker

ORIGIN = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def paged(served):
    """The emulator's CloudFormation keeps the names of CORS settings as the template writes them,
    and does not find them later; the same settings through UpdateApi it does.
    """
    template = served.target.client("cloudformation").get_template(
        StackName="falcon-balances-local-pipeline"
    )["TemplateBody"]
    resources = (template if isinstance(template, dict) else json.loads(template))["Resources"]
    (api,) = [each for each in resources.values() if each["Type"] == "AWS::ApiGatewayV2::Api"]
    apis = served.target.client("apigatewayv2")
    (deployed,) = apis.get_apis()["Items"]
    apis.update_api(
        ApiId=deployed["ApiId"], CorsConfiguration=api["Properties"]["CorsConfiguration"]
    )
    return served


def preflight(served: Served, origin: str | None, path: str = f"merchants/m-{OWN}/balances"):
    asked = {"Access-Control-Request-Method": "GET"}
    asked |= {"Access-Control-Request-Headers": "authorization"}
    headers = asked | ({} if origin is None else {"Origin": origin})
    with Asker(served.target) as asker:
        return asker.ask(path, "OPTIONS", headers)


def test_a_preflight_of_the_configured_page_is_answered_without_a_token(paged):
    """By the emulator, before it looks at the routes. AWS asks the authorizer of an `ANY` route
    first, which refuses: a page there needs a route for OPTIONS that has none.
    """
    for path in (f"merchants/m-{OWN}/balances", "merchants/m-nobody/balances", "nothing"):
        answer = preflight(paged, ORIGIN, path)
        assert answer.status in (200, 204)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert set(answer.headers["access-control-allow-methods"].split(",")) == {"GET", "HEAD"}
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert set(allowed.split(",")) == {"authorization", "if-none-match"}
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://127.0.0.1:8001", "https://127.0.0.1:8000", f"{ORIGIN}.evil.example"],
)
def test_a_preflight_of_any_other_page_is_refused(paged, origin):
    answer = preflight(paged, origin)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_only_the_configured_page_may_read_answers(paged):
    with Asker(paged.target, paged.tokens[OWN]) as asker:
        path = f"merchants/m-{OWN}/balances"
        own = asker.ask(path, headers={"Origin": ORIGIN})
        other = asker.ask(path, headers={"Origin": "https://evil.example"})
    assert (own.status, own.headers["access-control-allow-origin"]) == (200, ORIGIN)
    exposed = own.headers["access-control-expose-headers"].lower()
    assert set(exposed.split(",")) == {
        "content-disposition",
        "etag",
        "link",
        "retry-after",
        "x-request-id",
    }
    assert "access-control-allow-origin" not in other.headers
