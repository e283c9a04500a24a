"""Selects the findings (design §7) of a merchant or an operation, and counts them by kind."""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from falcon_balances.audit.log_objects import LogSource, Selection
from falcon_balances.audit.not_fitting import Asked, Noted, facts_of
from falcon_balances.domain.findings import FindingKind
from falcon_balances.domain.sale_keys import SaleKey


def notes_of_merchant(source: LogSource, merchant_id: str) -> list[Noted]:
    """The findings of a merchant. Reads its part of the log, then the whole log for lines of the
    same operations and sales at other merchants. Memory grows with these lines.
    """
    own = facts_of(source, Selection(merchant_id=merchant_id))
    found = list(own.of_standings())
    asked = own.asked()
    if len(asked.operations):
        others = facts_of(source, Selection(), asked)
        found += [*others.of_sales(), *others.of_merchants()]
    return sorted((each for each in found if merchant_id in each.merchants), key=_order)


def notes_of_operation(
    source: LogSource, falcon_operation_id: str, sale: SaleKey | None
) -> list[Noted]:
    """The findings of an operation and its sale at any merchant. Reads the whole log, but keeps
    only their lines.
    """
    sales = [] if sale is None else [sale.name]
    asked = Asked(pa.array([falcon_operation_id]), pa.array(sales, pa.string()))
    facts = facts_of(source, Selection(), asked)
    subjects = {falcon_operation_id} | ({sale.sale_id} if sale else set())
    return sorted((each for each in facts.all() if each.finding.subject in subjects), key=_order)


class KindCount(NamedTuple):
    """The number of findings of a kind; `currency` is None if they have no amounts."""

    kind: FindingKind
    currency: str | None
    findings: int


def by_kind(noted: Iterable[Noted]) -> list[KindCount]:
    """Counts in the order of the kinds. A finding in two currencies counts in both."""
    counts: dict[tuple[FindingKind, str | None], int] = {}
    for each in noted:
        codes: list[str | None] = [*sorted(each.finding.figures)]
        for code in codes or [None]:
            name = (each.finding.kind, code)
            counts[name] = counts.get(name, 0) + 1
    order = list(FindingKind)
    names = sorted(counts, key=lambda name: (order.index(name[0]), name[1] or ""))
    return [KindCount(*name, counts[name]) for name in names]


def _order(noted: Noted) -> tuple[str, str, tuple[str, ...]]:
    return noted.finding.kind, noted.finding.subject, noted.merchants
