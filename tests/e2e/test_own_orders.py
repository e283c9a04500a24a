"""A shop, a yen shop and a marketplace, worked out by hand: from SNS to what each merchant sees."""

import base64
import json

import pytest

from falcon_balances.adapters.clock import utc_now
from falcon_balances.domain.instants import rfc3339
from tests.e2e import observed
from tests.e2e.events import confirmed, context, fee, jsonl, part, reconciled
from tests.e2e.local_stack import LocalStack

PSP = "own-psp"
FIELDS = ("currency", "confirmed", "reconciled", "pending", "available", "operations_count")
# Capture 100.00 less 1 %, reconciled; refund of 40.00: counts at once. | 1000 yen less 3.6 %, not
# reconciled. | Sale of 150.00: 8.00 to the marketplace, 1.5 % of 100.00 to the PSP; reconciled.
BALANCES = {
    "m-own-shop": ("EUR", "59.00", "99.00", "0.00", "59.00", 5),
    "m-own-yen": ("JPY", "964", "0", "964", "0", 2),
    "m-own-market": ("EUR", "8.00", "8.00", "0.00", "8.00", 2),
    "m-own-crafts": ("EUR", "90.50", "90.50", "0.00", "90.50", 6),
    "m-own-toys": ("EUR", "50.00", "50.00", "0.00", "50.00", 2),
}


MERCHANTS = [
    context(PSP, "own-shop", **fee("1.00")),
    context(PSP, "own-yen", "JPY", **fee("3.60")),
    context(PSP, "own-market"),
    context(PSP, "own-crafts", **fee("1.50")),
    context(PSP, "own-toys"),
]
SOLD = confirmed(PSP, "own-1", "own-shop", "100.00")
SPLITS = [part("own-crafts", "100.00", marketplace_fee="8.00"), part("own-toys", "50.00")]
MARKET = confirmed(PSP, "own-4", "own-market", "150.00", splits=SPLITS)
CONFIRMED = [
    SOLD,
    confirmed(PSP, "own-2", "own-shop", "40.00", type="refund", original_reference="own-1"),
    confirmed(PSP, "own-3", "own-yen", "1000", currency="JPY"),
    MARKET,
]
FILES = {"confirmed": CONFIRMED, "reconciled": [reconciled(SOLD), reconciled(MARKET)]}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A stack of these tests, with its merchants; no cut but those that are asked for."""
    folder = tmp_path_factory.mktemp("own")
    stack = LocalStack(folder / "home")
    try:
        observed.stop_the_schedule(stack.up().target)
        loaded = stack.falcon("merchants", "load", jsonl(folder / "merchants.jsonl", MERCHANTS))
        assert loaded.returncode == 0, loaded.stderr
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="module")
def send(empty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")

    def send_all():
        for stage, documents in FILES.items():
            file = jsonl(folder / f"{stage}.jsonl", documents)
            done = empty.falcon("psp", "send", "--stage", stage, "--wait", "--json", file)
            assert done.returncode == 0, done.stderr
            answer = json.loads(done.stdout)
            assert (answer["counted"], answer["pending"]) == (len(documents), 0)

    return send_all


@pytest.fixture(scope="module")
def before_any_cut(empty, send):
    send()
    return {merchant: document(empty, merchant) for merchant in BALANCES}


@pytest.fixture(scope="module")
def own(empty, before_any_cut):
    return empty


def document(stack, merchant, *options):
    done = stack.falcon("balance", merchant, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def token_of(stack, merchant):
    return stack.falcon("token", merchant).stdout.strip()


@pytest.mark.parametrize("merchant", BALANCES)
def test_a_balance_is_what_a_pencil_gives(before_any_cut, merchant):
    said = before_any_cut[merchant]
    assert said["merchant_id"] == merchant
    (balance,) = said["balances"]
    assert tuple(balance[field] for field in FIELDS) == BALANCES[merchant]
    for field in ("withdrawn", "adjusted", "blocked"):
        assert balance[field].strip("0.") == ""


def test_before_the_first_cut_as_of_is_unknown(before_any_cut):
    assert {said["as_of"] for said in before_any_cut.values()} == {None}
    assert {said["lag_seconds"] for said in before_any_cut.values()} == {None}


def test_after_a_cut_as_of_says_when_and_everything_sent_before_is_in(own):
    sent_before = utc_now()
    observed.pass_a_cut(own.target)
    said = document(own, "m-own-shop")
    assert said["as_of"] >= rfc3339(sent_before)
    assert said["balances"][0]["operations_count"] == 5
    assert 0 <= said["lag_seconds"] <= (utc_now() - sent_before).total_seconds()


def test_a_cut_does_not_pass_what_the_reducer_has_not_counted(own):
    """Held back, `as_of` stands still; let go, it moves and the late operation is in."""
    target = own.target
    known = observed.pass_a_cut(target)
    mapping = reducer_mapping(target)
    target.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    late = confirmed(PSP, "own-late", "own-toys", "1.00")
    try:
        observed.send(target, "confirmed", [json.dumps(late)])
        observed.wait_until(lambda: observed.in_flight(target) == 0, what="the late one on stream")
        observed.cut(target)
        held = document(own, "m-own-toys")
        assert held["as_of"] == rfc3339(known)
        assert held["balances"][0]["confirmed"] == "50.00"
    finally:
        target.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
    observed.pass_a_cut(target)
    let_go = document(own, "m-own-toys")
    assert let_go["as_of"] > rfc3339(known)
    assert let_go["balances"][0]["confirmed"] == "51.00"
    undo = confirmed(PSP, "own-late-refund", "own-toys", "1.00", type="refund")
    observed.send(target, "confirmed", [json.dumps(undo)])
    observed.drain(target)


def reducer_mapping(target):
    (mapping,) = target.client("lambda").list_event_source_mappings(
        FunctionName="falcon-balances-local-reducer"
    )["EventSourceMappings"]
    return mapping["UUID"]


@pytest.mark.parametrize("merchant", ["m-own-shop", "m-own-yen", "m-own-market"])
def test_the_api_answers_what_the_table_holds(own, merchant):
    status, content_type, said = observed.ask(
        own.target, f"merchants/{merchant}/balances", token_of(own, merchant)
    )
    assert (status, content_type) == (200, "application/json")
    from_table = document(own, merchant)
    assert said | {"lag_seconds": 0} == from_table | {"lag_seconds": 0}
    through_command = document(own, merchant, "--api")
    assert through_command["balances"] == from_table["balances"]


def test_one_balance_shop_can_be_asked_for(own):
    token = token_of(own, "m-own-shop")
    path = "merchants/m-own-shop/balances"
    status, _, said = observed.ask(own.target, f"{path}/bs-own-shop", token)
    assert (status, said["balances"]) == (200, document(own, "m-own-shop")["balances"])
    assert observed.ask(own.target, f"{path}/bs-own-toys", token)[0] == 404


def test_another_merchant_is_not_found_exactly_as_one_who_does_not_exist(own):
    token = token_of(own, "m-own-shop")
    others = observed.refusal(own.target, "merchants/m-own-yen/balances", token)
    nobody = observed.refusal(own.target, "merchants/m-nobody/balances", token)
    assert others == nobody
    assert others[:2] == (404, "application/problem+json")
    # One who signs in but has no balance is told the same.
    stranger = token_of(own, "m-stranger")
    assert observed.refusal(own.target, "merchants/m-stranger/balances", stranger) == nobody
    assert own.falcon("balance", "m-stranger").returncode == 1


def test_without_a_token_nobody_gets_in(own):
    assert observed.ask(own.target, "merchants/m-own-shop/balances")[0] == 401
    assert observed.ask(own.target, "merchants/m-own-shop/balances", "no.token.atall")[0] == 401


def test_a_tampered_token_is_refused(own):
    header, claims, signature = token_of(own, "m-own-shop").split(".")
    forged_claims = decoded(claims) | {"custom:merchant_id": "m-own-yen"}
    unsigned = {"alg": "none", "typ": "JWT"}
    for forged in (
        f"{header}.{encoded(forged_claims)}.{signature}",
        f"{header}.{claims}.{signature[:-8]}AAAAAAAA",
        f"{encoded(unsigned)}.{encoded(forged_claims)}.",
    ):
        assert observed.ask(own.target, "merchants/m-own-yen/balances", forged)[0] == 401


def test_an_access_token_passes_the_gateway_but_names_no_merchant(own):
    """It has no custom attribute, so it shows nothing, not even to its owner."""
    tokens = signed_in(own.target, own.target.user_pool_id, own.target.client_id, "m-own-toys")
    path = "merchants/m-own-toys/balances"
    nobody = observed.refusal(own.target, "merchants/m-nobody/balances", tokens["IdToken"])
    assert observed.refusal(own.target, path, tokens["AccessToken"]) == nobody
    assert observed.ask(own.target, path, tokens["IdToken"])[0] == 200


def test_a_token_of_another_user_pool_is_refused(own):
    cognito = own.target.client("cognito-idp")
    pool = cognito.create_user_pool(
        PoolName="elsewhere", Schema=[{"Name": "merchant_id", "AttributeDataType": "String"}]
    )["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="c", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    tokens = signed_in(own.target, pool, client, "m-own-toys")
    path = "merchants/m-own-toys/balances"
    assert observed.ask(own.target, path, tokens["IdToken"])[0] == 401


def signed_in(target, pool, client, merchant):
    """All tokens of a user of this merchant, who is made for it."""
    cognito = target.client("cognito-idp")
    user = {"UserPoolId": pool, "Username": f"second-{merchant}"}
    cognito.admin_create_user(
        **user,
        UserAttributes=[{"Name": "custom:merchant_id", "Value": merchant}],
        MessageAction="SUPPRESS",
    )
    cognito.admin_set_user_password(**user, Password="Aa1!aaaaaaaaaaaa", Permanent=True)
    return cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user["Username"], "PASSWORD": "Aa1!aaaaaaaaaaaa"},
    )["AuthenticationResult"]


def decoded(segment):
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def encoded(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def test_the_same_files_again_change_nothing(own, send):
    def everything():
        table = [
            item
            for item in observed.items(own.target, own.target.balances_table)
            if item["pk"]["S"] != "STREAM"
        ]
        return observed.log_objects(own.target), observed.claims(own.target), table

    before = everything()
    send()
    observed.drain(own.target)
    assert everything() == before
