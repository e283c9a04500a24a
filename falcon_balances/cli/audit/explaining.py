"""`falcon audit explain`: shows what a balance consists of, or everything about one operation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from falcon_balances.cli import output
from falcon_balances.cli.audit.options import S3, AtOption, LogOption, instant_of, log_source
from falcon_balances.cli.audit.replaying import print_findings
from falcon_balances.cli.errors import EXIT_MISMATCH, InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, find_target

if TYPE_CHECKING:
    from falcon_balances.audit.movements import Composition, Explained, ExplainedBalance

_TOP_MAX = 10_000


def explain(
    *,
    merchant: Annotated[
        str | None,
        typer.Option("--merchant", help="Show what this merchant's balances consist of."),
    ] = None,
    operation: Annotated[
        str | None,
        typer.Option("--operation", help="Show everything about this falcon_operation_id."),
    ] = None,
    balance: Annotated[
        str | None, typer.Option("--balance", help="Show only this balance shop of --merchant.")
    ] = None,
    top: Annotated[
        int,
        typer.Option(
            "--top", min=0, max=_TOP_MAX, help="How many of the largest movements to show."
        ),
    ] = 10,
    at: AtOption = None,
    log: LogOption = None,
    manifests: Annotated[
        Path | None,
        typer.Option(
            "--manifests",
            help="The folder of the manifests; the environment's bucket by default.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            help="The file of the sealer's public key, PEM or DER.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Show what a merchant's balances consist of, or everything about one operation.

    With --log FOLDER only folders are read; the output names what folders cannot tell.
    """
    _check_options(
        merchant,
        operation,
        {"--balance": balance, "--at": at},
        {"--manifests": manifests, "--public-key": public_key},
    )
    if merchant is not None:
        _explain_merchant(merchant, balance, top, at, log, env, as_json=as_json)
    elif operation is not None:
        _explain_operation(operation, log, manifests, public_key, env, as_json=as_json)


def _check_options(
    merchant: str | None,
    operation: str | None,
    of_merchants: dict[str, object],
    of_operations: dict[str, object],
) -> None:
    """Checks the options. Raises UsageError."""
    if (merchant is None) == (operation is None):
        raise typer.BadParameter("give either --merchant or --operation")
    wrong = of_operations if operation is None else of_merchants
    for name, value in wrong.items():
        if value is not None:
            other = "--operation" if operation is None else "--merchant"
            raise typer.BadParameter(f"{name} requires {other}")


def _explain_merchant(
    merchant_id: str,
    balance_shop_id: str | None,
    top: int,
    at: str | None,
    log: str | None,
    env: str,
    *,
    as_json: bool,
) -> None:
    from falcon_balances.audit.movements import explain as explain_merchant  # noqa: PLC0415 - Arrow
    from falcon_balances.cli.audit import naming  # noqa: PLC0415
    from falcon_balances.contracts.blocks import is_id  # noqa: PLC0415

    if not is_id(merchant_id):
        raise InvalidInputError("--merchant: not a valid merchant id")
    before = instant_of(at)
    with output.progress("objects", None) as advance:
        explained = explain_merchant(log_source(log, env), merchant_id, before, top, advance)
    if not explained.objects and not explained.findings:
        raise InvalidInputError(f"the log holds no object of merchant {merchant_id}")
    balances = [
        each
        for each in explained.balances
        if balance_shop_id in (None, each.balance.balance_shop_id)
    ]
    if balance_shop_id is not None and not balances:
        raise InvalidInputError(
            f"the log holds no balance {balance_shop_id[:64]} of merchant {merchant_id}"
        )
    not_fitting = None
    if before is None:
        target = find_target(env) if log is None or log.startswith(S3) else None
        not_fitting = naming.of_merchant(log_source(log, env), target, merchant_id)
    if as_json:
        document = _document(merchant_id, before, explained, balances)
        document |= {"does_not_fit": naming.NOT_OF_THE_PAST if not_fitting is None else not_fitting}
        output.document(document)
    else:
        for each in balances:
            _show_balance(merchant_id, each)
        naming.show(not_fitting or [])
    print_findings(
        explained.findings,
        f"{output.count(explained.objects, 'object')}, {output.count(explained.lines, 'line')}",
    )


def _explain_operation(
    operation: str,
    log: str | None,
    manifests: Path | None,
    public_key: Path | None,
    env: str,
    *,
    as_json: bool,
) -> None:
    from falcon_balances.adapters.manifests import LogVersions  # noqa: PLC0415 - AWS
    from falcon_balances.audit.verifier.findings import NotWrittenSoError  # noqa: PLC0415
    from falcon_balances.cli.audit.operation_story import tell  # noqa: PLC0415
    from falcon_balances.cli.audit.story_sources import Sources  # noqa: PLC0415
    from falcon_balances.cli.tracing import operation_id_of  # noqa: PLC0415

    try:
        operation_id = operation_id_of([operation])
    except InvalidInputError as error:
        said = f"--operation: {operation[:80]} is not a falcon_operation_id"
        raise InvalidInputError(said) from error
    source = log_source(log, env)
    target = versions = None
    if log is None or log.startswith(S3):
        target = find_target(env)
        bucket = target.log_bucket if log is None else log.removeprefix(S3).strip("/")
        versions = LogVersions(target.client("s3"), bucket)
    key = None if public_key is None else public_key.read_bytes()
    try:
        story = tell(Sources(source, target, versions, manifests, key), operation_id)
    except (NotWrittenSoError, OSError) as error:
        raise InvalidInputError(str(error)) from error
    if story is None:
        raise InvalidInputError(f"unknown operation {operation_id}: no source that was read has it")
    if as_json:
        output.document(story.document)
    else:
        _show({name: each for name, each in story.document.items() if name != "problems"})
    for place, what in story.problems:
        output.warn(f"{place}: {what}")
    if story.problems:
        output.fail(output.count(len(story.problems), "problem"))
        raise typer.Exit(EXIT_MISMATCH)


def _show(value: dict[str, Any], indent: str = "") -> None:
    """Prints names and values: nested documents indented, each row on one line."""
    for name, each in value.items():
        if isinstance(each, dict) and each:
            output.line(f"{indent}{name}")
            _show(each, f"{indent}  ")
        elif isinstance(each, list) and each:
            output.line(f"{indent}{name}")
            for part in each:
                _show_part(part, f"{indent}  ")
        else:
            output.line(f"{indent}{name}: {'none' if each in (None, [], {}) else each}")


def _show_part(part: object, indent: str) -> None:
    if not isinstance(part, dict):
        output.line(f"{indent}{part}")
    elif any(isinstance(each, dict | list) for each in part.values()):
        (name, first), *others = part.items()
        output.line(f"{indent}{name} {first}")
        _show(dict(others), f"{indent}  ")
    else:
        output.line(indent + ", ".join(f"{name} {each}" for name, each in part.items()))


def _document(
    merchant_id: str,
    before: str | None,
    explained: "Explained",
    balances: "list[ExplainedBalance]",
) -> dict[str, Any]:
    return {
        "merchant_id": merchant_id,
        "at": before,
        "objects": explained.objects,
        "lines": explained.lines,
        "balances": [
            {
                **_figures(each),
                "consists_of": {
                    name: _composition(figure, each.balance.currency.exponent)
                    for name, figure in each.figures.items()
                },
            }
            for each in balances
        ],
        "findings": [
            {"key": each.key, "problem": each.problem, "detail": each.detail}
            for each in explained.findings
        ],
    }


def _figures(explained: "ExplainedBalance") -> dict[str, Any]:
    from falcon_balances.contracts.balance_document import BalanceV1  # noqa: PLC0415

    return BalanceV1.of(explained.balance).model_dump(exclude={"blocked", "negative_since"})


def _composition(figure: "Composition", exponent: int) -> dict[str, Any]:
    """Rows of movements; `remaining` is the figure less this row's movement and all before it."""
    from falcon_balances.domain.money import at_full_scale  # noqa: PLC0415

    rows = []
    remaining = figure.minor
    for each in figure.largest:
        remaining -= each.minor
        rows.append(
            {
                "date": each.date,
                "stages": [stage.value for stage in each.stages],
                "types": [kind.value for kind in each.types],
                "external_reference": each.external_reference,
                "confirmed": at_full_scale(each.confirmed, exponent),
                "reconciled": at_full_scale(each.reconciled, exponent),
                "amount": at_full_scale(each.minor, exponent),
                "remaining": at_full_scale(remaining, exponent),
                "falcon_operation_id": each.falcon_operation_id,
                "log_keys": each.log_keys,
            }
        )
    remainder = {"movements": figure.others, "amount": at_full_scale(remaining, exponent)}
    return {"movements": rows, "remainder": remainder}


def _show_balance(merchant_id: str, explained: "ExplainedBalance") -> None:
    from falcon_balances.domain.money import at_full_scale  # noqa: PLC0415

    figures, exponent = _figures(explained), explained.balance.currency.exponent
    output.line(f"{merchant_id}, {figures['balance_shop_id']}, {figures['currency']}")
    output.pairs(
        {
            f"  {name}": value
            for name, value in figures.items()
            if name not in {"balance_shop_id", "currency"}
        }
    )
    amounts = ("confirmed", "reconciled", "amount", "remaining")
    columns = ("date", "types", "external_reference", *amounts, "falcon_operation_id")
    for name, figure in explained.figures.items():
        said = _composition(figure, exponent)
        rows, remainder = said["movements"], said["remainder"]
        if not rows and not remainder["movements"]:
            output.line(f"{name}: no line changed it")
            continue
        output.line(f"{name} {at_full_scale(figure.minor, exponent)} consists of")
        if rows:
            shown = [each | {"types": ", ".join(each["types"])} for each in rows]
            cells = [[each[column] for column in columns] for each in shown]
            output.table(columns, cells, right=amounts)
        movements = output.count(remainder["movements"], "movement")
        output.line(f"  the remainder: {movements}, {remainder['amount']}")
