"""An auditor's work on a stack, by the commands they have, and by tools of others."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from beancount import loader

from falcon_balances.cli.audit.closing import JOURNAL_ENDS
from falcon_balances.contracts.closed_days import JournalEndsV1
from tests.e2e.local_stack import LocalStack

HLEDGER = shutil.which("hledger")
DATA = Path(__file__).parents[2] / "demo/data"
OBJECTS = 11  # that the demo's orders become in the log


@dataclass(frozen=True)
class Auditor:
    """`folder` is all they have once `fetch` is done."""

    stack: LocalStack
    folder: Path

    def run(self, *arguments: object, exit_code: int = 0) -> str:
        done = self.stack.falcon("audit", *map(str, arguments))
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout

    def ask(self, *arguments: object, exit_code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", exit_code=exit_code))

    def fetch(self) -> None:
        self.run("fetch", self.folder)

    @property
    def files(self) -> list[object]:
        return [
            *("--log", self.log),
            *("--manifests", self.folder / "manifests"),
            *("--public-key", self.folder / "public-key.pem"),
        ]

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def verify(self, *options: object, exit_code: int = 0) -> Any:
        versions = ("--versions", self.folder / "versions.json")
        return self.ask("verify", *self.files, *versions, *options, exit_code=exit_code)

    def close_days(self) -> Path:
        """The folder of closed days. When everything is counted, tomorrow's first cut would name
        the same pages as the newest one: so today is closed too.
        """
        self.run("fetch", self.folder, "--journal")
        path = self.folder / JOURNAL_ENDS
        ends = JournalEndsV1.read(path.name, path.read_bytes())
        tomorrow = JournalEndsV1.of(ends.cut + timedelta(days=1), ends.positions)
        path.write_bytes(tomorrow.bytes_written)
        closed = self.ask("close-days", self.folder)["closed"]
        assert closed[-1]["date"] == f"{ends.cut:%Y-%m-%d}"
        return self.folder / "closed"

    def journal(self, dialect: str) -> str:
        return self.run("export", "--format", dialect, "--log", self.log)


def manifests(stack: LocalStack) -> list[str]:
    listed = stack.target.client("s3").list_objects_v2(Bucket=stack.target.manifest_bucket)
    return [each["Key"] for each in listed.get("Contents", [])]


def expected() -> dict[str, Any]:
    """The demo's balances, worked out by hand."""
    rows = [
        json.loads(line) for line in (DATA / "expected-balances.jsonl").read_text().splitlines()
    ]
    return {row["merchant_id"]: row for row in rows}


def hledger_says(journal: str) -> str:
    """Empty where nothing is wrong, or hledger is not installed."""
    if HLEDGER is None:
        return ""
    done = subprocess.run(
        [HLEDGER, "-f", "-", "check", "--strict"],
        input=journal,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


def beancount_says(journal: str) -> list[str]:
    """Every error, none where all balances hold."""
    _, errors, _ = loader.load_string(journal)
    return [each.message for each in errors]


def with_a_cent(journal: str) -> str:
    """The journal with another last assertion: by a cent, or a whole unit where there are none."""
    *_, last = re.finditer(r"(?:= |  )(-?[0-9]+(?:\.[0-9]+)?)(?: ~ 0)? [A-Z]{3}$", journal, re.M)
    digit = "1" if last[1][-1] != "1" else "2"
    return f"{journal[: last.end(1) - 1]}{digit}{journal[last.end(1) :]}"


def settlement(events: list[dict[str, Any]]) -> list[str]:
    """The lines of a PSP's file, header first, made of the events that are reconciled."""
    rows = ["reference,amount,currency,date,psp_id"]
    for each in events:
        sign = "-" if each["type"] in ("refund", "chargeback") else ""
        amount = f"{sign}{each['amount']}"
        fields = (each["external_reference"], amount, each["currency"], each["reconciled_date"])
        rows.append(",".join((*fields, each["psp_id"])))
    return rows


def with_another_cent(row: str) -> str:
    """The line with another last digit of its amount."""
    reference, amount, rest = row.split(",", 2)
    return f"{reference},{amount[:-1]}{'1' if amount[-1] != '1' else '2'},{rest}"
