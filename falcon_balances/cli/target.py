"""The environment that a command works on: the embedded AWS, or one in an AWS account."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

from falcon_balances.adapters.sessions import (
    AwsClient,
    account_id,
    account_session,
    local_client,
    stack_outputs,
)
from falcon_balances.cli.embedded import home as homes
from falcon_balances.cli.embedded import process
from falcon_balances.cli.errors import AwsError, InvalidInputError

LOCAL = "local"
STAGES = ("confirmed", "reconciled", "payout", "adjustment")

EnvOption = Annotated[
    str, typer.Option("--env", help="`local`, or an environment deployed to the AWS account.")
]

_ENV = re.compile(r"[a-z][a-z0-9-]{0,19}")
_DOWN = "no embedded AWS is running: run falcon local up"


@dataclass(frozen=True)
class QueueUrls:
    url: str
    dlq_url: str


@dataclass(frozen=True)
class Target:
    """The names of one environment's resources; for `local`, those of `.falcon/local.json`."""

    env: str
    endpoint_url: str | None
    region: str
    account_id: str
    access_key_id: str | None
    secret_access_key: str | None = field(repr=False)
    api_url: str
    topics: Mapping[str, str]
    queues: Mapping[str, QueueUrls]
    log_bucket: str
    quarantine_bucket: str
    balances_table: str
    claims_table: str
    context_table: str
    stream: str
    user_pool_id: str
    client_id: str
    _clients: dict[str, AwsClient] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    def client(self, service: str) -> AwsClient:
        """A boto3 client of this environment, made once."""
        if service not in self._clients:
            self._clients[service] = (
                account_session(self.region).client(service)
                if self.endpoint_url is None
                else local_client(
                    service,
                    self.endpoint_url,
                    self.region,
                    self.access_key_id or "",
                    self.secret_access_key or "",
                )
            )
        return self._clients[service]

    @property
    def prefix(self) -> str:
        return f"falcon-balances-{self.env}"

    @property
    def manifest_bucket(self) -> str:
        return f"{self.prefix}-manifests-{self.account_id}-{self.region}"

    @property
    def journal_bucket(self) -> str:
        return f"{self.prefix}-journal-{self.account_id}-{self.region}"

    @property
    def closed_bucket(self) -> str | None:
        """None where no closed days are made."""
        if self.env == LOCAL:
            return None
        return f"{self.prefix}-closed-{self.account_id}-{self.region}"

    @property
    def closed_days_table(self) -> str:
        """In Athena, with its database."""
        return f"{self.prefix.replace('-', '_')}.closed_days"

    @property
    def bank_statement_bucket(self) -> str:
        return f"{self.prefix}-statements-{self.account_id}-{self.region}"

    @property
    def signing_key_alias(self) -> str:
        return f"alias/{self.prefix}-manifests"

    def topic(self, stage: str) -> str:
        if stage not in self.topics:
            raise InvalidInputError(f"environment {self.env} has no topic for stage {stage}")
        return self.topics[stage]

    def as_document(self) -> dict[str, object]:
        """The contents of `local.json`, with exactly the keys of design §11."""
        document = {
            name: value for name, value in vars(self).items() if name not in {"env", "_clients"}
        }
        document["topics"] = dict(self.topics)
        document["queues"] = {stage: asdict(urls) for stage, urls in self.queues.items()}
        return document


def find_target(env: str = LOCAL) -> Target:
    """The environment with this name. Raises InvalidInputError or AwsError if it is down, missing
    or out of reach.
    """
    if not _ENV.fullmatch(env):
        raise InvalidInputError("--env: must be lower-case letters, digits and dashes")
    return local_target(homes.current()) if env == LOCAL else _account_target(env)


def local_target(home: homes.Home) -> Target:
    emulator, document = process.read(home), home.read_document()
    if emulator is None or document is None or not process.is_alive(emulator):
        raise AwsError(_DOWN)
    values: dict[str, Any] = dict(document)
    values["queues"] = {stage: QueueUrls(**urls) for stage, urls in values["queues"].items()}
    return Target(env=LOCAL, **values)


def _account_target(env: str) -> Target:
    session = account_session()
    outputs: dict[str, str] = {}
    for part in ("data", "pipeline"):
        name = f"falcon-balances-{env}-{part}"
        found = stack_outputs(session, name)
        if found is None:
            raise InvalidInputError(f"stack {name} does not exist in {session.region_name}")
        outputs |= found
    return target_from_outputs(
        outputs,
        env=env,
        endpoint_url=None,
        region=session.region_name,
        account_id=account_id(session),
        access_key_id=None,
        secret_access_key=None,
    )


def target_from_outputs(
    outputs: Mapping[str, str],
    *,
    env: str,
    endpoint_url: str | None,
    region: str,
    account_id: str,
    access_key_id: str | None,
    secret_access_key: str | None,
) -> Target:
    """The environment's names, from the stacks' outputs. A stage without a topic is left out."""
    built = [stage for stage in STAGES if f"Topic{stage.capitalize()}" in outputs]
    try:
        return Target(
            env=env,
            endpoint_url=endpoint_url,
            region=region,
            account_id=account_id,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            api_url=outputs["ApiUrl"].rstrip("/"),
            topics={stage: outputs[f"Topic{stage.capitalize()}"] for stage in built},
            queues={
                stage: QueueUrls(
                    url=outputs[f"Queue{stage.capitalize()}Url"],
                    dlq_url=outputs[f"Dlq{stage.capitalize()}Url"],
                )
                for stage in built
            },
            log_bucket=outputs["LogBucket"],
            quarantine_bucket=outputs["QuarantineBucket"],
            balances_table=outputs["BalancesTable"],
            claims_table=outputs["ClaimsTable"],
            context_table=outputs["ContextTable"],
            stream=outputs["Stream"],
            user_pool_id=outputs["UserPoolId"],
            client_id=outputs["ClientId"],
        )
    except KeyError as err:
        raise AwsError(f"the stacks of {env} have no output {err.args[0]}") from err
