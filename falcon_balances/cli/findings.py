"""`falcon ops findings`: lists findings, and records who has checked them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.options import DryRun
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, Target, find_target

if TYPE_CHECKING:
    from falcon_balances.adapters.findings import DynamoFindings
    from falcon_balances.domain.known_findings import KnownFinding

app = typer.Typer(
    help="Operations that do not fit together: list, acknowledge.", no_args_is_help=True
)

_COLUMNS: Final = ("finding_id", "status", "psp_id", "reference", "opened_at", "amounts")
_REASON_MAX: Final = 200


@app.command("list")
def list_findings(
    merchant_id: Annotated[
        str | None, typer.Option("--merchant", help="Only findings of this merchant.")
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="List acknowledged findings too; requires --merchant.")
    ] = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """List findings that nobody has acknowledged, oldest first."""
    if everything and merchant_id is None:
        raise InvalidInputError("--all requires --merchant")
    findings = _findings(find_target(env))
    found = findings.open() if merchant_id is None else findings.of(merchant_id)
    _show((each for each in found if everything or each.status == "open"), as_json=as_json)


@app.command("acknowledge")
def acknowledge(
    finding_id: Annotated[str, typer.Argument(help="The id or key that `list` prints.")],
    reason: Annotated[
        str, typer.Option("--reason", help="The reason, for auditors; up to 200 characters.")
    ],
    by: Annotated[str, typer.Option("--by", help="The id of the person responsible.")],
    *,
    dry_run: DryRun = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Record that a person has checked a finding. It opens again if its figures change."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - not for --help
    from falcon_balances.contracts.blocks import is_id  # noqa: PLC0415
    from falcon_balances.contracts.formats import ID_PATTERN, WORDS  # noqa: PLC0415
    from falcon_balances.domain.known_findings import finding_key  # noqa: PLC0415

    if not is_id(by):
        raise InvalidInputError(f"--by: must be {WORDS[ID_PATTERN]}")
    if not 0 < len(reason.strip()) <= len(reason) <= _REASON_MAX or not reason.isprintable():
        raise InvalidInputError(
            "--reason: must have 1 to 200 characters, without control characters"
        )
    findings, key = _findings(find_target(env)), finding_key(finding_id)
    found = None if key is None else findings.find(key)
    if key is None or found is None:
        raise InvalidInputError(f"unknown finding {finding_id[:200]}")
    if dry_run:
        output.note("dry run: nothing was acknowledged")
    elif found.status == "open" and not findings.acknowledge(key, found, by, reason, utc_now()):
        raise InvalidInputError("the finding changed meanwhile: list it again")
    output.single(document(findings.find(key) or found), as_json=as_json)


def _findings(target: Target) -> "DynamoFindings":
    from falcon_balances.adapters.findings import DynamoFindings  # noqa: PLC0415

    return DynamoFindings(target.client("dynamodb"), target.balances_table)


def document(finding: "KnownFinding") -> dict[str, Any]:
    """The finding as in the API, with its merchant, and who acknowledged it and why."""
    from falcon_balances.contracts.finding_documents import FindingV1  # noqa: PLC0415

    said = {"merchant_id": finding.merchant_id, **FindingV1.of(finding).model_dump(mode="json")}
    more = {"acknowledged_by": finding.acknowledged_by, "reason": finding.reason}
    return said | {name: value for name, value in more.items() if value is not None}


def _show(found: "Iterable[KnownFinding]", *, as_json: bool) -> None:
    ordered = sorted(found, key=lambda each: (each.opened_at, each.identity))
    documents = [document(each) for each in ordered]
    if as_json:
        output.json_lines(documents)
        return
    rows = [[*(each[column] for column in _COLUMNS[:-1]), amounts_said(each)] for each in documents]
    output.table(_COLUMNS, rows)


def amounts_said(document: dict[str, Any]) -> str:
    return "; ".join(
        f"{each['currency']} " + ", ".join(f"{name} {n}" for name, n in each["figures"].items())
        for each in document["amounts"]
    )
