"""The contexts of a claim, with the fees that each of them charges."""

from collections.abc import Iterable, Sequence
from typing import Any

from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.audit.applied_fees import applied_fees
from falcon_balances.cli.target import Target
from falcon_balances.contracts.merchant_contexts import context_document
from falcon_balances.domain.merchant_context import MerchantContext
from falcon_balances.domain.operations import BalanceOperation

PlaceAndProblem = tuple[str, str]


def contexts_of(
    target: Target, versions: Iterable[str], lines: Sequence[BalanceOperation]
) -> tuple[list[dict[str, Any]], list[PlaceAndProblem]]:
    """One document per version, and the problems found."""
    told: list[dict[str, Any]] = []
    problems: list[PlaceAndProblem] = []
    for version in versions:
        context = _context(target, version)
        if context is None:
            problems.append((version, "the context table does not hold this version"))
            told.append({"version": version})
            continue
        fees = _fees(context, lines)
        if fees and fees["fees_expected"] != fees["fees_charged"]:
            problems.append((version, "the fee differs from what its context charges"))
        told.append({"version": version, "merchant_id": context.merchant_id, **fees})
    return told, problems


def _context(target: Target, version: str) -> MerchantContext | None:
    key = MerchantContext.key_of_claimed(version)
    directory = DynamoMerchantDirectory(target.client("dynamodb"), target.context_table)
    history = directory.histories([key]).get(key, ())
    return next((each for each in history if each.claimed_as == version), None)


def _fees(context: MerchantContext, lines: Sequence[BalanceOperation]) -> dict[str, Any]:
    """The document of a version: `fees_expected`, recalculated, beside `fees_charged`."""
    applied = applied_fees(context, lines)
    if applied is None:
        return {}
    documents: Any = context_document(context)["fees"]
    return {
        "fees": [
            document
            for fee, document in zip(context.fees, documents, strict=True)
            if fee in applied.fees
        ],
        "fees_expected": str(applied.expected),
        "fees_charged": str(applied.charged),
    }
