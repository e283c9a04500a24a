"""Users of merchants in a Cognito user pool: creates them if necessary, and signs them in."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

_ATTRIBUTE: Final = "custom:merchant_id"


class UserPool:
    def __init__(
        self, cognito: "CognitoIdentityProviderClient", user_pool_id: str, client_id: str
    ) -> None:
        self._cognito = cognito
        self._user_pool_id = user_pool_id
        self._client_id = client_id

    def ensure_user(self, merchant_id: str) -> str | None:
        """Creates the merchant's user, who has the merchant's name, unless the user exists. Returns
        the merchant that the user signs in for: an existing user can belong to another merchant.
        """
        try:
            self._cognito.admin_create_user(
                UserPoolId=self._user_pool_id,
                Username=merchant_id,
                UserAttributes=[{"Name": _ATTRIBUTE, "Value": merchant_id}],
                MessageAction="SUPPRESS",
            )
        except self._cognito.exceptions.UsernameExistsException:
            user = self._cognito.admin_get_user(UserPoolId=self._user_pool_id, Username=merchant_id)
            attributes = {each["Name"]: each.get("Value") for each in user["UserAttributes"]}
            return attributes.get(_ATTRIBUTE)
        return merchant_id

    def sign_in(self, username: str, password: str) -> str:
        """An ID token; sets the user's password."""
        self._cognito.admin_set_user_password(
            UserPoolId=self._user_pool_id, Username=username, Password=password, Permanent=True
        )
        answer = self._cognito.admin_initiate_auth(
            UserPoolId=self._user_pool_id,
            ClientId=self._client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": username, "PASSWORD": password},
        )
        return answer["AuthenticationResult"]["IdToken"]
