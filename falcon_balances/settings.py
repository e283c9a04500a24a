"""Settings of each function: one class per handler, read from the environment here only."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Json, StringConstraints

Mode = Literal["test", "live"]
Name = Annotated[str, StringConstraints(min_length=1)]
# What seals the cursors of both APIs: nobody may know it who cannot read the functions' settings.
CursorSeal = Annotated[str, StringConstraints(min_length=32), Field(repr=False)]


class Settings(BaseModel):
    """Read once per cold start. A missing or invalid variable stops the function before it works.

    Each field is the environment variable of the same name in capitals.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        source = os.environ if environment is None else environment  # noqa: TID251 - the one place
        return cls.model_validate(
            {name: source[name.upper()] for name in cls.model_fields if name.upper() in source}
        )


class DispatcherSettings(Settings):
    stage: Literal["confirmed", "reconciled", "payout", "adjustment"]
    mode: Mode
    state_machine_arn: Name
    quarantine_bucket: Name
    queue_url: Name
    chunk_budget_bytes: Annotated[int, Field(ge=175_000, le=220_000)]


class SplitterSettings(Settings):
    context_table: Name


class PersisterSettings(Settings):
    claims_table: Name
    balances_table: Name
    log_bucket: Name


class PayoutDeciderSettings(Settings):
    context_table: Name
    claims_table: Name
    balances_table: Name
    log_bucket: Name


class PayoutLoggerSettings(Settings):
    claims_table: Name
    balances_table: Name
    log_bucket: Name


class PayoutAnnouncerSettings(Settings):
    claims_table: Name
    balances_table: Name
    outcome_topic_arn: Name


class PublisherSettings(Settings):
    stream: Name
    claims_table: Name
    log_bucket: Name


class ReducerSettings(Settings):
    balances_table: Name
    quarantine_bucket: Name
    journal_bucket: Name
    stream: Name


class CutterSettings(Settings):
    stream: Name


class BalanceApiSettings(Settings):
    balances_table: Name
    claims_table: Name
    log_bucket: Name
    log_objects_max: Annotated[int, Field(ge=1)]
    cursor_seal: CursorSeal


class SystemsApiSettings(Settings):
    balances_table: Name
    claims_table: Name
    log_bucket: Name
    log_objects_max: Annotated[int, Field(ge=1)]
    cursor_seal: CursorSeal
    context_table: Name
    queue_urls: Json[dict[str, tuple[Name, Name]]]
    """JSON: for each stage, the URLs of its queue and its dead-letter queue."""


class ExpirerSettings(Settings):
    balances_table: Name


class CloserSettings(Settings):
    balances_table: Name
    context_table: Name
    journal_bucket: Name
    log_bucket: Name


class DayListerSettings(Settings):
    balances_table: Name
    journal_bucket: Name
    closed_bucket: Name
    database: Name


class DayPublisherSettings(Settings):
    closed_bucket: Name


class SealerSettings(Settings):
    log_bucket: Name
    journal_bucket: Name
    balances_table: Name
    manifest_bucket: Name
    signer_arn: Name
    manifest_objects_max: Annotated[int, Field(ge=1)]


class ReconcilerSettings(Settings):
    balances_table: Name
    journal_bucket: Name
    bank_statement_bucket: Name
    days: Annotated[int, Field(ge=0)]
    look_back_days: Annotated[int, Field(ge=1)]


def is_local_endpoint() -> bool:
    """Whether AWS is the embedded AWS, according to the SDK's own variable."""
    return "AWS_ENDPOINT_URL" in os.environ  # noqa: TID251 - the one place
