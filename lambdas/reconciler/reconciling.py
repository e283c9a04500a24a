"""One run over all recent bank statements: a report for each account that has any."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from falcon_balances.adapters.bank_statements import (
    BankStatementAccount,
    BankStatementBucket,
    BankStatementFile,
)
from falcon_balances.adapters.log_days import LogDays
from falcon_balances.contracts.bank_statement_lines import (
    BankStatementFlaw,
    InvalidBankStatementError,
)
from falcon_balances.contracts.bank_statements import BANK_STATEMENT_BYTES_MAX, read_bank_statement
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.contracts.reconciliation_report import report
from falcon_balances.domain.bank_statement_lines import BankStatementLine, Period
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.domain.reconciliation import LoggedOperation, logged_operations, reconcile


@dataclass(slots=True)
class ReconcilerRun:
    """The result of a run. `invalid`: unreadable bank statements, and keys without an account."""

    reports: list[str] = field(default_factory=list)
    matched: int = 0
    open: int = 0
    overdue: int = 0
    invalid: int = 0
    flawed: list[str] = field(default_factory=list)


def reconcile_all(
    statements: BankStatementBucket, log: LogDays, *, today: date, days: int, look_back_days: int
) -> ReconcilerRun:
    """Compares all statements of the last `look_back_days` again, so that late lines are found:
    nothing is kept between runs.

    An account with any bank statement is expected to show everything in the log until today.
    """
    run = ReconcilerRun()
    oldest = today - timedelta(days=look_back_days)
    arrived = _arrived(statements, run)
    periods = {
        account: period
        for account, files in sorted(arrived.items())
        if (period := _period(files, oldest, today, days)) is not None
    }
    ours = {
        stage: _operations(log, stage, _widest(periods, stage).widened(days), run)
        for stage in sorted({account.stage for account in periods})
    }
    for account, period in periods.items():
        operations = [each for each in ours[account.stage] if account.psp_id in ("", each.psp_id)]
        recent = sorted(each for each in arrived[account] if each.day >= oldest)
        document = _reconcile(statements, recent, operations, period, today, days, run)
        run.reports.append(statements.report(account, today, document))
    return run


def _arrived(
    statements: BankStatementBucket, run: ReconcilerRun
) -> Mapping[BankStatementAccount, Sequence[BankStatementFile]]:
    files: dict[BankStatementAccount, list[BankStatementFile]] = defaultdict(list)
    for key in statements.keys():  # noqa: SIM118 - no mapping
        file = BankStatementFile.of(key)
        if file is None:
            run.invalid += 1
        else:
            files[file.account].append(file)
    return files


def _reconcile(
    statements: BankStatementBucket,
    files: Sequence[BankStatementFile],
    operations: Sequence[LoggedOperation],
    period: Period,
    today: date,
    days: int,
    run: ReconcilerRun,
) -> dict[str, Any]:
    """The report of one account."""
    problems: list[BankStatementFlaw] = []
    lines: list[BankStatementLine] = []
    for file in files:
        try:
            body = statements.read(file.key, BANK_STATEMENT_BYTES_MAX)
            lines += read_bank_statement(file.key, body).lines
        except InvalidBankStatementError as error:
            problems += error.problems
            run.invalid += 1
    found = reconcile(operations, lines, period, days)
    said = report(found, today, days)
    run.matched += found.matched
    run.open += len(found.open)
    run.overdue += said["overdue"]
    return {
        "from": None if period.since is None else period.since.isoformat(),
        "to": None if period.until is None else period.until.isoformat(),
        "statements": [each.key for each in files],
        "invalid": [each._asdict() for each in problems],
        **said,
    }


def _period(
    files: Sequence[BankStatementFile], oldest: date, today: date, days: int
) -> Period | None:
    """The period of an account's bank statements; None if none is recent. A line at the period's
    edge may be in an older bank statement.
    """
    recent = [each.day for each in files if each.day >= oldest]
    if not recent:
        return None
    since = min(recent)
    if len(recent) < len(files):
        since += timedelta(days=days)
    return Period(since, today)


def _widest(periods: Mapping[BankStatementAccount, Period], stage: Stage) -> Period:
    of_stage = [period for account, period in periods.items() if account.stage == stage]
    sinces = [period.since for period in of_stage if period.since is not None]
    return Period(min(sinces), of_stage[0].until)


def _operations(
    log: LogDays, stage: Stage, period: Period, run: ReconcilerRun
) -> list[LoggedOperation]:
    return logged_operations(_segments(log.objects(stage, period), run))


def _segments(objects: Iterable[tuple[str, bytes]], run: ReconcilerRun) -> Iterator[Segment]:
    for key, body in objects:
        try:
            yield read_strictly(key, body)
        except FlawedObjectError:
            run.flawed.append(key)
