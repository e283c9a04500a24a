"""Findings in the output of `falcon audit`: from the table or, with folders only, from the log."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.cli import output
from falcon_balances.cli.findings import amounts_said
from falcon_balances.cli.target import Target

if TYPE_CHECKING:
    from falcon_balances.audit.log_objects import LogSource
    from falcon_balances.audit.not_fitting import Noted
    from falcon_balances.domain.known_findings import KnownFinding
    from falcon_balances.domain.operations import BalanceOperation
    from falcon_balances.domain.sale_keys import SaleKey

NOT_OF_THE_PAST: Final = "not shown with --at: findings are known of the present only"
_COLUMNS: Final = ("kind", "psp_id", "reference", "falcon_operation_id", "amounts")


def of_merchant(source: "LogSource", target: Target | None, merchant_id: str) -> list[Any]:
    """A merchant's findings by kind and operation; only the table has acknowledgements."""
    if target is not None:
        return _known(_in_table(target, [merchant_id]))
    from falcon_balances.audit.notes import notes_of_merchant  # noqa: PLC0415 - Arrow

    return _noted(notes_of_merchant(source, merchant_id))


def of_operation(
    source: "LogSource",
    target: Target | None,
    main: "BalanceOperation",
    merchants: Sequence[str],
    claimed: "Sequence[SaleKey]",
) -> list[Any]:
    """The findings of an operation and of its sale. `claimed`: the sales that its claims name, of
    any merchant.
    """
    operation_id = main.falcon_operation_id
    if target is not None:
        where = sorted({*merchants, *(sale.merchant_id for sale in claimed)})
        subjects = {operation_id, *(sale.sale_id for sale in claimed)}
        found = _in_table(target, where)
        return _known(each for each in found if each.subject in subjects)
    from falcon_balances.audit.notes import notes_of_operation  # noqa: PLC0415 - Arrow

    return _noted(notes_of_operation(source, operation_id, _sale_of(main)))


def show(found: Sequence[Any]) -> None:
    if found:
        output.line("operations that do not fit")
        rows = [[*(each[name] for name in _COLUMNS[:-1]), amounts_said(each)] for each in found]
        output.table(_COLUMNS, rows)


def _sale_of(main: "BalanceOperation") -> "SaleKey | None":
    """The sale by PSP and reference, without its merchant, which the log does not record."""
    from falcon_balances.domain.operations import OperationType  # noqa: PLC0415
    from falcon_balances.domain.sale_keys import SaleKey  # noqa: PLC0415
    from falcon_balances.domain.sale_parts import OF_A_SALE  # noqa: PLC0415

    if main.type is OperationType.CAPTURE:
        return SaleKey("", main.psp_id, main.external_reference)
    if main.type in OF_A_SALE and main.original_reference:
        return SaleKey("", main.psp_id, main.original_reference)
    return None


def _in_table(target: Target, merchants: Iterable[str]) -> "list[KnownFinding]":
    from falcon_balances.adapters.findings import DynamoFindings  # noqa: PLC0415 - AWS

    findings = DynamoFindings(target.client("dynamodb"), target.balances_table)
    found = [each for merchant_id in merchants for each in findings.of(merchant_id)]
    return sorted(found, key=lambda each: (each.kind, each.subject, each.merchant_id))


def _known(found: "Iterable[KnownFinding]") -> list[Any]:
    from falcon_balances.cli.findings import document  # noqa: PLC0415

    return [document(each) for each in found]


def _noted(noted: "Iterable[Noted]") -> list[Any]:
    from falcon_balances.contracts.finding_documents import finding_figures  # noqa: PLC0415

    return [
        {
            "kind": each.finding.kind.value,
            "falcon_operation_id": each.finding.subject,
            "psp_id": each.psp_id,
            "reference": each.reference,
            "merchants": list(each.merchants),
            "amounts": [said.model_dump() for said in finding_figures(each.finding.figures)],
        }
        for each in noted
    ]
