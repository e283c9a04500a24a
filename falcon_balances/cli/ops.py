"""`falcon ops`: what operators do: look into the quarantine."""

import base64
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, Target, find_target

app = typer.Typer(help="For operators.", no_args_is_help=True)
quarantine = typer.Typer(help="What was refused: raw bytes, code, reason.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")

_SOURCES = ("confirmed", "reconciled", "payout", "adjustment", "stream")


@quarantine.command("list")
def list_refused(
    source: Annotated[
        str | None, typer.Option("--stage", help="A stage, or `stream` for its records.")
    ] = None,
    on: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Received on, UTC.")
    ] = None,
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print what lies in quarantine, by key; every refusal of the same bytes is listed."""
    if source is not None and source not in _SOURCES:
        raise InvalidInputError(f"--stage is one of {', '.join(_SOURCES)}")
    if on is not None and source is None:
        raise InvalidInputError("--date needs --stage")
    target = find_target(env)
    refused = list(_refused(target, _prefix(source, on.date() if on else None)))
    if as_json:
        output.json_lines(refused)
    else:
        columns = ("key", "received_at", "code", "reason")
        output.table(columns, [[each[column] for column in columns] for each in refused])


def _prefix(source: str | None, on: date | None) -> str:
    return (f"{source}/" if source else "") + (f"date={on}/" if on else "")


def _refused(target: Target, prefix: str) -> Iterator[dict[str, Any]]:
    s3 = target.client("s3")
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=target.quarantine_bucket, Prefix=prefix
    )
    for page in pages:
        for version in page.get("Versions", []):
            head = s3.head_object(
                Bucket=target.quarantine_bucket,
                Key=version["Key"],
                VersionId=version["VersionId"],
            )
            yield {"key": version["Key"], "version": version["VersionId"], **head["Metadata"]}


@quarantine.command("show")
def show(
    key: Annotated[str, typer.Argument(help="As `list` prints it.")],
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print one refused body with its code and reason."""
    target = find_target(env)
    s3 = target.client("s3")
    try:
        answer = s3.get_object(Bucket=target.quarantine_bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        raise InvalidInputError("no such key in the quarantine") from None
    body: bytes = answer["Body"].read()
    if as_json:
        document = {"key": key, **answer["Metadata"]}
        output.document({**document, "body_base64": base64.b64encode(body).decode()})
        return
    output.pairs({"key": key, **answer["Metadata"]})
    output.line(body.decode("utf-8", "backslashreplace"))
