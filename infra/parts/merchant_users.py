"""The user pool of the balance API: which user signs in for which merchant."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.nag import acknowledge


class MerchantUsers(Construct):
    """An administrator sets a user's merchant once; the user can read it, never write it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings
    ) -> None:
        super().__init__(scope, construct_id)
        keeps = settings.keeps_data
        self.pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=f"{settings.prefix}-merchants",
            self_sign_up_enabled=False,
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            custom_attributes={
                "merchant_id": cognito.StringAttribute(mutable=False, min_len=1, max_len=64)
            },
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_digits=True,
                require_lowercase=True,
                require_uppercase=True,
                require_symbols=True,
                temp_password_validity=Duration.days(3),
            ),
            mfa=cognito.Mfa.OFF if settings.emulated else cognito.Mfa.REQUIRED,
            mfa_second_factor=(
                None if settings.emulated else cognito.MfaSecondFactor(sms=False, otp=True)
            ),
            deletion_protection=keeps,
            removal_policy=RemovalPolicy.RETAIN if keeps else RemovalPolicy.DESTROY,
        )
        self.client = self.pool.add_client(
            "Client",
            user_pool_client_name=f"{settings.prefix}-merchant-ui",
            generate_secret=False,
            auth_flows=cognito.AuthFlow(
                user_srp=True, admin_user_password=settings.password_sign_in_by_admin
            ),
            disable_o_auth=True,
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            id_token_validity=Duration.minutes(60),
            access_token_validity=Duration.minutes(60),
            refresh_token_validity=Duration.hours(12),
            read_attributes=cognito.ClientAttributes().with_custom_attributes("merchant_id"),
            # Cognito takes an empty list to mean all attributes; the locale alone is harmless.
            write_attributes=cognito.ClientAttributes().with_standard_attributes(locale=True),
        )
        acknowledge(
            self.pool,
            "AwsSolutions-COG3",
            "AwsSolutions-COG8",
            reason="Threat protection needs the paid Plus plan, which whoever runs the stack "
            "decides on; a second factor is required of every user instead.",
        )
