"""Reads the embedded AWS without our own adapters: S3 with boto3, the API over HTTP."""

import csv
import json
import time
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any

from demo.stack import DemoError
from falcon_balances.adapters.clock import utc_now
from falcon_balances.cli.target import Target
from falcon_balances.cli.token import merchant_token
from falcon_balances.domain.instants import rfc3339

_CUTTER = "falcon-balances-local-cutter"
_TIMEOUT_S = 30.0
_POLL_S = 0.2
# Without a proxy: the embedded AWS is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def log_versions(target: Target) -> list[tuple[str, str, str]]:
    """(key, version, ETag) of every version in the log, including delete markers."""
    pages = (
        target.client("s3").get_paginator("list_object_versions").paginate(Bucket=target.log_bucket)
    )
    return sorted(
        (version["Key"], version["VersionId"], version.get("ETag", "delete marker"))
        for page in pages
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    )


def log_body(target: Target, key: str) -> str:
    answer = target.client("s3").get_object(Bucket=target.log_bucket, Key=key)
    text: str = answer["Body"].read().decode()
    return text


def log_object(target: Target, key: str) -> dict[str, Any]:
    """The object's key and lines, in the form of `expected-log.jsonl`."""
    stage, merchant, date, name = key.split("/")
    rows = list(csv.DictReader(log_body(target, key).splitlines()))
    return {
        "stage": stage,
        "external_reference": rows[0]["external_reference"],
        "merchant_id": merchant.removeprefix("merchant_id="),
        "date": date.removeprefix("date="),
        "part": name.removesuffix(".csv").partition(".")[2],
        "lines": [[row["type"], row["amount"]] for row in rows],
    }


def quarantined(target: Target, key: str) -> bytes:
    answer = target.client("s3").get_object(Bucket=target.quarantine_bucket, Key=key)
    body: bytes = answer["Body"].read()
    return body


class Api:
    """The balance API, asked as merchants do."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tokens: dict[str, str] = {}

    def token(self, merchant_id: str) -> str:
        """The merchant's token, as `falcon token` prints it; created once."""
        if merchant_id not in self._tokens:
            self._tokens[merchant_id] = merchant_token(self._target, merchant_id)
        return self._tokens[merchant_id]

    def balances(self, merchant_id: str, token: str | None) -> tuple[int, dict[str, Any]]:
        """Status and document."""
        status, document, _ = self.get(f"{merchant_id}/balances", token)
        return status, document

    def get(
        self, path: str, token: str | None, **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, document and headers of a path below `/v1/merchants/`."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(  # noqa: S310 - our own API's address
            f"{self._target.api_url}/v1/merchants/{path}", headers=sent | headers
        )
        try:
            with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
                return answer.status, json.load(answer), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}"), dict(error.headers)


def cut_behind_everything(target: Target, api: Api, merchant_id: str) -> str:
    """Sends a cut after everything published so far, waits until it is met, and returns `as_of`.

    A cut's time is a whole second, so the function first waits for the next second: any `as_of` not
    before that second is of a cut after everything.
    """
    now = utc_now()
    cut_from = rfc3339(now.replace(microsecond=0) + timedelta(seconds=1))
    time.sleep(1 - now.microsecond / 1_000_000)
    answer = target.client("lambda").invoke(FunctionName=_CUTTER)
    if "FunctionError" in answer:
        raise DemoError(f"the cutter failed: {answer['FunctionError']}")
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        _, document = api.balances(merchant_id, api.token(merchant_id))
        as_of = document.get("as_of")
        if isinstance(as_of, str) and as_of >= cut_from:
            return as_of
        time.sleep(_POLL_S)
    raise DemoError(f"no cut was met in {_TIMEOUT_S:g} s")
