"""The figures of an operation's lines: its event, its standing at each balance, its accounts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.standings import NOTHING, plus
from falcon_balances.cli.audit.story_sources import Found
from falcon_balances.domain.accounts import Booked, postings
from falcon_balances.domain.available import Agreement, agreement
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import PSP_STAGES, BalanceOperation, Stage, main_line

# For each open figure: the stage with less, the reason if that stage is missing, and the reason if
# it differs.
_WHY: Final = {
    "pending": (
        Stage.RECONCILED,
        "confirmed by the PSP, not yet traced in the bank",
        "less was traced in the bank than the PSP confirmed",
    ),
    "unapplied": (
        Stage.CONFIRMED,
        "traced in the bank, not confirmed by the PSP: cannot be spent",
        "more was traced in the bank than the PSP confirmed: the excess cannot be spent",
    ),
    "debits_unconfirmed": (
        Stage.CONFIRMED,
        "already deducted: the bank shows it, the PSP has not confirmed it",
        "already deducted because the bank shows the debit; the PSP confirmed less",
    ),
    "debits_untraced": (
        Stage.RECONCILED,
        "already deducted because the PSP confirmed it; not yet traced in the bank",
        "already deducted because the PSP confirmed it; the bank shows less",
    ),
}
_ELSEWHERE: Final = "; that stage changes other balances"

_EVIDENCE: Final = ("original_reference", "bank_reference", "reason_code", "requested_by")

Nets = dict[Stage, int]


def event_of(lines: Sequence[BalanceOperation], so_far: Sequence[BalanceOperation]) -> object:
    """The event of one revision, from its `lines`; `so_far` has the lines of earlier revisions too.

    The event's amount is the sum of `so_far`, over all parts of a marketplace's event.
    """
    if not lines:
        return "revised to no lines" if not so_far else "this revision changes no amount"
    main = main_line(lines)
    minor = sum(
        line.amount.minor
        for line in so_far
        if line.type is main.type and line.currency == main.currency
    )
    said = {
        "type": main.type.value,
        "psp_id": main.psp_id,
        "external_reference": main.external_reference,
        "amount": str(Money(abs(minor), main.currency)),
        "currency": main.currency.code,
        "date": rfc3339(main.operation_date),
    }
    more = {name: getattr(main, name) for name in _EVIDENCE}
    if main.occurrence > 1:
        more["occurrence"] = str(main.occurrence)
    return said | {name: text for name, text in more.items() if text}


def standings_of(objects: Sequence[Found]) -> list[dict[str, object]]:
    """The standing of a PSP's operation at each balance: both stages, the figures, and their
    reasons.
    """
    known = {each.stage for each in objects if each.lines}
    nets: dict[BalanceId, Nets] = {}
    lines: dict[BalanceId, BalanceOperation] = {}
    for each, line in _lines(objects):
        if each.stage in PSP_STAGES:
            balance = _balance_of(each, line)
            lines[balance] = line
            of_balance = nets.setdefault(balance, {})
            of_balance[each.stage] = of_balance.get(each.stage, 0) + line.amount.minor
    return [_standing(each, nets[each], known, lines[each]) for each in sorted(nets)]


def _standing(
    balance: BalanceId, nets: Nets, known: set[Stage], line: BalanceOperation
) -> dict[str, object]:
    agreed = _agreed(nets)
    said = {stage.value: _scaled(nets.get(stage), line) for stage in PSP_STAGES}
    figures = {name: _scaled(minor, line) for name, minor in agreed._asdict().items()}
    return {**balance._asdict(), **said, **figures, "why": _why(agreed, nets, known)}


def _why(agreed: Agreement, nets: Nets, known: set[Stage]) -> list[str]:
    reasons = []
    for figure, (stage, silent, different) in _WHY.items():
        if getattr(agreed, figure):
            elsewhere = _ELSEWHERE if stage in known and stage not in nets else ""
            reason = different if stage in nets else silent
            reasons.append(f"{figure}: {reason}{elsewhere}")
    return reasons or ["both stages agree"]


def _agreed(nets: Nets) -> Agreement:
    return agreement(nets.get(Stage.CONFIRMED, 0), nets.get(Stage.RECONCILED, 0))


def _scaled(minor: int | None, line: BalanceOperation) -> str | None:
    return None if minor is None else str(Money(minor, line.currency))


def accounts_of(objects: Sequence[Found]) -> list[dict[str, str]]:
    """The postings of all stages together; `psp_clearing` is open while a stage is missing."""
    nets: dict[BalanceId, Nets] = {}
    booked: dict[str, list[Booked]] = {}
    lines: dict[str, BalanceOperation] = {}
    for each, line in _lines(objects):
        of_balance = nets.setdefault(_balance_of(each, line), {})
        of_balance[each.stage] = of_balance.get(each.stage, 0) + line.amount.minor
        lines[line.currency.code] = line
        booked.setdefault(line.currency.code, []).append(
            Booked(each.stage, line.type, line.amount.minor)
        )
    rows = []
    for code in sorted(booked):
        agreed = NOTHING
        for balance, of_balance in nets.items():
            if balance.currency == code:
                agreed = plus(agreed, _agreed(of_balance))
        moved: dict[str, int] = {}
        for account, minor in postings(booked[code], agreed):
            moved[account.value] = moved.get(account.value, 0) + minor
        currency = lines[code].currency
        rows += [
            {
                "account": account,
                "amount": str(Money(minor, currency)),
                "currency": code,
            }
            for account, minor in sorted(moved.items())
            if minor
        ]
    return rows


def _lines(objects: Iterable[Found]) -> Iterator[tuple[Found, BalanceOperation]]:
    return ((each, line) for each in objects for line in each.lines)


def _balance_of(found: Found, line: BalanceOperation) -> BalanceId:
    return BalanceId(found.merchant_id, line.balance_shop_id, line.currency.code)
