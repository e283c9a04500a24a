"""The result of a reconciliation as a document: for a terminal, a file, or the person on call."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from falcon_balances.contracts.currencies import scaled
from falcon_balances.domain.ageing import by_age
from falcon_balances.domain.reconciliation import Reconciliation, UnmatchedItem


def report(found: Reconciliation, today: date, days: int) -> Mapping[str, Any]:
    """`matched`: how many lines of bank statements match. `open`: the oldest first.

    Amounts are strings at full scale. In `ages`, `debit` is the amount that our side has more,
    `credit` the amount that the other side has more.
    """
    return {
        "matched": found.matched,
        "matched_amounts": {code: scaled(minor, code) for code, minor in found.sums.items()},
        "overdue": sum(item.is_overdue(today, days) for item in found.open),
        "open": [_row(item, today, days) for item in found.open],
        "ages": [
            {
                "currency": row.currency,
                "age": row.age,
                "items": row.items,
                "debit": scaled(row.debit, row.currency),
                "credit": scaled(row.credit, row.currency),
            }
            for row in by_age(found.open, today)
        ],
    }


def _row(item: UnmatchedItem, today: date, days: int) -> dict[str, object]:
    ours, theirs = item.ours, item.theirs
    return {
        "difference": item.difference,
        "reference": item.reference,
        "ours": None if ours is None else scaled(ours.minor, ours.currency),
        "theirs": None if theirs is None else scaled(theirs.minor, theirs.currency),
        "currency": item.currency,
        "their_currency": None if theirs is None else theirs.currency,
        "our_day": None if ours is None else ours.day.isoformat(),
        "their_day": None if theirs is None else theirs.day.isoformat(),
        "age_days": (today - item.since).days,
        "overdue": item.is_overdue(today, days),
        "place": None if theirs is None else theirs.place,
        "stage": None if ours is None else ours.stage,
        "falcon_operation_id": None if ours is None else ours.falcon_operation_id,
    }
