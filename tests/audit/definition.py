"""Balances as design §7 defines them, operation by operation, with nothing of ours but the nouns.

And worlds to try it on: operations whose stages say the same, something else, or nothing; with
revisions, events of several merchants, payouts and adjustments.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.identity import balance_operation_uuid, operation_id_of_reference
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import (
    PSP_STAGES,
    BalanceOperation,
    OperationType,
    Segment,
    Stage,
)

EUR, JPY = Currency("EUR", 2), Currency("JPY", 0)
START = datetime(2026, 10, 1, 10, tzinfo=UTC)
SALES = (OperationType.CAPTURE, OperationType.CASHBACK, OperationType.CHARGEBACK_REVERSAL)
RETURNS = (OperationType.REFUND, OperationType.CHARGEBACK)
MERCHANTS = 12


def defined(segments: Iterable[Segment]) -> dict[BalanceId, Balance]:
    """Each segment once. `available` is before blocks."""
    nets: dict[tuple[BalanceId, str], dict[str, int]] = {}
    figures: dict[BalanceId, dict[str, int]] = {}
    currencies: dict[BalanceId, Currency] = {}
    for segment in segments:
        for line in segment.lines:
            balance = BalanceId(segment.merchant_id, line.balance_shop_id, line.currency.code)
            currencies[balance] = line.currency
            said = figures.setdefault(balance, {})
            _add(said, "operations_count", 1)
            minor = line.amount.minor
            if segment.stage in PSP_STAGES:
                _add(said, str(segment.stage), minor)
                net = nets.setdefault((balance, line.falcon_operation_id), {})
                _add(net, str(segment.stage), minor)
            elif segment.stage is Stage.PAYOUT:
                _add(said, "withdrawn", -minor)
                _add(said, "available", minor)
            else:
                _add(said, "adjusted", minor)
                _add(said, "available", minor)
    for (balance, _), net in nets.items():
        c, r = net.get("confirmed", 0), net.get("reconciled", 0)
        counted = min(c, r)
        _add(figures[balance], "available", counted)
        _add(figures[balance], "pending", max(c, 0) - max(counted, 0))
        _add(figures[balance], "unapplied", max(r, 0) - max(counted, 0))
        _add(figures[balance], "debits_unconfirmed", min(c, 0) - min(counted, 0))
        _add(figures[balance], "debits_untraced", min(r, 0) - min(counted, 0))
    return {
        each: Balance.from_counters(each.balance_shop_id, currencies[each], figures[each])
        for each in sorted(figures)
    }


def _add(figures: dict[str, int], name: str, minor: int) -> None:
    figures[name] = figures.get(name, 0) + minor


def world(events: int, seed: int) -> list[Segment]:
    """In the order of their dates. Every third operation says something else in its other stage."""
    rng = Random(seed)
    segments: list[Segment] = []
    for n in range(events):
        kind = rng.random()
        if kind < 0.05:
            segments.append(_direct(rng, n))
        else:
            segments += _operation(rng, n)
    return sorted(segments, key=lambda each: each.booked_at)


def _operation(rng: Random, n: int) -> Iterator[Segment]:
    kind = rng.choice((*SALES, *RETURNS))
    currency = rng.choice((EUR, EUR, JPY))
    owners = sorted(f"m-{each}" for each in rng.sample(range(MERCHANTS), rng.choice((1, 1, 1, 2))))
    truth = _truth(rng, kind, owners)
    stages = rng.choice((PSP_STAGES, PSP_STAGES, PSP_STAGES, PSP_STAGES[:1], PSP_STAGES[1:]))
    for stage in stages:
        other = rng.random() < 1 / 3
        said = _truth(rng, kind, rng.choice((owners, ["m-0"]))) if other else truth
        yield from _segments(n, kind, currency, stage, 1, said, START + _later(rng))
        if rng.random() < 0.1:
            again = {
                owner: {each: rng.randrange(-300, 300) for each in lines}
                for owner, lines in said.items()
            }
            date = START + timedelta(days=31) + _later(rng)
            yield from _segments(n, kind, currency, stage, 2, again, date)


def _later(rng: Random) -> timedelta:
    return timedelta(hours=rng.randrange(24 * 30))


Truth = dict[str, dict[OperationType, int]]


def _truth(rng: Random, kind: OperationType, owners: list[str]) -> Truth:
    truth: Truth = {}
    for owner in owners:
        minor = rng.randrange(1, 500) * (-1 if kind in RETURNS else 1)
        fee = rng.choice((0, -1, -rng.randrange(1, 600)))
        truth[owner] = {kind: minor} | ({OperationType.PSP_FEE: fee} if fee else {})
    return truth


def _segments(
    n: int,
    kind: OperationType,
    currency: Currency,
    stage: Stage,
    revision: int,
    truth: Truth,
    date: datetime,
) -> Iterator[Segment]:
    operation_id = operation_id_of_reference("psp-1", kind, f"order-{n}")
    for part, owner in enumerate(sorted(truth), start=1):
        name = Segment(stage, owner, part, len(truth), (), revision=revision).staged
        lines = tuple(
            BalanceOperation(
                uuid=balance_operation_uuid(operation_id, name, owner, f"bs-{owner}", line_type, 0),
                external_reference=f"order-{n}",
                amount=Money(minor, currency),
                type=line_type,
                falcon_operation_id=operation_id,
                operation_date=date,
                local_merchant_id=f"l-{owner}",
                shop_id=f"shop-{owner}",
                balance_shop_id=f"bs-{owner}",
                psp_id="psp-1",
                bank_reference="settlement-1" if stage is Stage.RECONCILED else "",
            )
            for line_type, minor in truth[owner].items()
            if minor
        )
        if lines:
            yield Segment(stage, owner, part, len(truth), lines, revision=revision)


def _direct(rng: Random, n: int) -> Segment:
    stage = rng.choice((Stage.PAYOUT, Stage.ADJUSTMENT))
    owner = f"m-{rng.randrange(MERCHANTS)}"
    kind = OperationType.WITHDRAWAL if stage is Stage.PAYOUT else OperationType.ADJUSTMENT
    said: dict[str, Any] = {"local_merchant_id": "", "shop_id": "", "psp_id": ""}
    if stage is Stage.ADJUSTMENT:
        said |= {"reason_code": "rounding", "requested_by": "anna"}
    [segment] = _segments(n, kind, EUR, stage, 1, {owner: {kind: -rng.randrange(1, 99)}},
                          START + _later(rng))  # fmt: skip
    return replace(segment, lines=tuple(replace(line, **said) for line in segment.lines))
