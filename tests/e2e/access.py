"""The two merchants who ask for each other's money, and their tokens."""

from typing import Any

from tests.e2e.api_world import NAMES, Served

OWN, OTHER = NAMES[3], NAMES[4]


def signed_in(served: Served, name: str) -> dict[str, str]:
    """All tokens of a second user of this merchant, who is made for it."""
    cognito, pool = served.target.client("cognito-idp"), served.target.user_pool_id
    user, password = {"UserPoolId": pool, "Username": f"access-{name}"}, "Aa1!aaaaaaaaaaaa"
    cognito.admin_create_user(
        **user,
        UserAttributes=[{"Name": "custom:merchant_id", "Value": f"m-{name}"}],
        MessageAction="SUPPRESS",
    )
    cognito.admin_set_user_password(**user, Password=password, Permanent=True)
    answer: dict[str, Any] = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=served.target.client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user["Username"], "PASSWORD": password},
    )
    return dict(answer["AuthenticationResult"])
