"""Which tokens the gateway and the API believe, and who can get one."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from falcon_balances.adapters.clock import utc_now
from tests.e2e.access import OTHER, OWN, signed_in
from tests.e2e.api_world import Served
from tests.e2e.asking import Asker
from tests.e2e.tokens import Token, encoded, own_key, pool_key


def bad_tokens(good: str, key: Any, pools_key: Any) -> Iterator[tuple[str, str]]:
    """What each is, and the token; many would be for `OTHER`, if they were believed."""
    token, now = Token.parse(good), int(utc_now().timestamp())
    header, claims, signature = good.split(".")
    wanted = {"custom:merchant_id": f"m-{OTHER}"}
    forged = token.changed(wanted)
    yield "garbage", "garbage"
    yield "two parts", f"{header}.{claims}"
    yield "four parts", f"{good}.{signature}"
    yield "no JSON", f"{encoded(b'no')}.{encoded(b'no')}.{signature}"
    yield "8 KiB", "x" * 8_192
    for alg in ("none", "None", "NONE", "HS256"):
        unsigned = forged.headed({"alg": alg})
        yield f"alg {alg}, the signature left", str(unsigned)
        yield f"alg {alg}, no signature", f"{unsigned.signed_text}."
    yield "another's merchant, the signature left", str(forged)
    yield "a signature cut short", f"{header}.{claims}.{signature[:-8]}"
    yield "a signature altered", f"{header}.{claims}.{signature[:-8]}AAAAAAAA"
    yield "a key of one's own under the pool's id", str(forged.signed(key))
    yield "a key of one's own under an unknown id", str(forged.headed({"kid": "own"}).signed(key))
    yield "no key id", str(forged.headed({"kid": None}).signed(pools_key))
    yield "a key id that is a path", str(forged.headed({"kid": "../../dev/null"}).signed(key))
    wrong: dict[str, dict[str, Any]] = {
        "another issuer": {"iss": f"{token.claims['iss']}x"},
        "another audience": {"aud": "another-client"},
        "an audience among others'": {"aud": ["a", "b"]},
        "expired a second ago": {"exp": now - 1},
        "expired long ago": {"exp": 0},
        "not valid yet": {"nbf": now + 3_600},
        "issued in the future": {"iat": now + 3_600},
    }
    for what, changes in wrong.items():
        yield f"{what}, with the pool's key", str(token.changed(changes).signed(pools_key))
        yield f"{what}, with a key of one's own", str(forged.changed(changes).signed(key))


def test_the_pools_key_alone_makes_tokens_that_are_believed(served, local_stack):
    """If this fails, what is refused below may be refused for another reason."""
    key = pool_key(local_stack.home.temp, served.target.user_pool_id)
    token = Token.parse(served.tokens[OWN]).changed({"custom:merchant_id": f"m-{OTHER}"})
    with Asker(served.target, str(token.signed(key))) as asker:
        assert asker.ask(f"merchants/m-{OTHER}/balances").status == 200


def test_the_gateway_refuses_every_token_that_the_pool_did_not_make_for_us_now(served, local_stack):
    pools_key = pool_key(local_stack.home.temp, served.target.user_pool_id)
    refused = {}
    for what, text in bad_tokens(served.tokens[OWN], own_key(), pools_key):
        with Asker(served.target, text) as asker:
            for name in (OWN, OTHER):
                answer = asker.ask(f"merchants/m-{name}/balances")
                refused[what, name] = (answer.status, answer.document)
    unauthorized = (401, {"message": "Unauthorized"})
    assert {key: said for key, said in refused.items() if said != unauthorized} == {}
    assert len(refused) > 60


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic bTpw", "Bearer  ", "Bearer,", "Bearer \t"]
)
def test_a_header_without_a_token_is_refused_by_the_gateway(served, value):
    with Asker(served.target) as asker:
        answer = asker.ask(f"merchants/m-{OWN}/balances", headers={"Authorization": value})
    assert answer.status == 401


def test_two_authorization_headers_show_no_more_than_one_of_them_would(served):
    """AWS joins the two and refuses them. The emulator takes one: with a token that is not good it
    refuses the request; with two good ones it answers for one merchant only.
    """
    own, other = served.tokens[OWN], served.tokens[OTHER]
    path = {name: f"merchants/m-{name}/balances" for name in (OWN, OTHER)}
    with Asker(served.target) as asker:

        def ask(name: str, *said: str) -> int:
            headers = [("Authorization", f"Bearer {each}") for each in said]
            return asker.ask(path[name], headers=headers).status

        for first, second in ((own, "garbage"), ("garbage", own)):
            assert ask(OWN, first, second) in (200, 401)
            assert ask(OTHER, first, second) in (401, 404)
        for first, second in ((own, other), (other, own)):
            statuses = {ask(OWN, first, second), ask(OTHER, first, second)}
            assert statuses in ({200, 404}, {401})


def as_deployed(served: Served) -> tuple[dict[str, Any], dict[str, Any]]:
    cognito, target = served.target.client("cognito-idp"), served.target
    pool = cognito.describe_user_pool(UserPoolId=target.user_pool_id)["UserPool"]
    client = cognito.describe_user_pool_client(
        UserPoolId=target.user_pool_id, ClientId=target.client_id
    )["UserPoolClient"]
    return pool, client


def test_the_pool_and_its_client_are_deployed_as_the_template_says(served):
    pool, client = as_deployed(served)
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    (attribute,) = [
        each for each in pool["SchemaAttributes"] if each["Name"] == "custom:merchant_id"
    ]
    assert attribute["Mutable"] is False
    assert client["WriteAttributes"] == ["locale"]


def anybodys_cognito(served: Served) -> Any:
    """As a browser has it: without any keys of the account."""
    import boto3

    return boto3.client(
        "cognito-idp",
        region_name=served.target.region,
        endpoint_url=served.target.endpoint_url,
        config=Config(signature_version=UNSIGNED, proxies={}),
    )


def test_nobody_signs_up(served):
    """Cognito refuses it where only administrators create users (test above, and tests/infra); the
    emulator does not look at that, but makes a user who is not confirmed and cannot sign in.
    """
    name, password = "intruder", "Aa1!aaaaaaaaaaaa"
    cognito, admin = anybodys_cognito(served), served.target.client("cognito-idp")
    with suppress(cognito.exceptions.NotAuthorizedException):
        cognito.sign_up(
            ClientId=served.target.client_id,
            Username=name,
            Password=password,
            UserAttributes=[{"Name": "custom:merchant_id", "Value": f"m-{OTHER}"}],
        )
    with pytest.raises(ClientError, match=r"UserNotConfirmedException|NotAuthorizedException"):
        admin.admin_initiate_auth(
            UserPoolId=served.target.user_pool_id,
            ClientId=served.target.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": password},
        )
    with suppress(admin.exceptions.UserNotFoundException):
        admin.admin_delete_user(UserPoolId=served.target.user_pool_id, Username=name)


@pytest.mark.xfail(
    reason="the emulator lets users write immutable attributes, which Cognito refuses",
    raises=pytest.fail.Exception,
    strict=True,
)
def test_nobody_writes_their_own_merchant(served):
    """It is red once the emulator refuses it too; until then tests/infra looks at the template,
    and the test above at what is deployed.
    """
    access_token = signed_in(served, "writer")["AccessToken"]
    cognito, admin = anybodys_cognito(served), served.target.client("cognito-idp")
    try:
        with pytest.raises(cognito.exceptions.NotAuthorizedException):
            cognito.update_user_attributes(
                AccessToken=access_token,
                UserAttributes=[{"Name": "custom:merchant_id", "Value": f"m-{OTHER}"}],
            )
    finally:
        admin.admin_delete_user(UserPoolId=served.target.user_pool_id, Username="access-writer")
