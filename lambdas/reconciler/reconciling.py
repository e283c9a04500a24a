"""One run over all statements that arrived lately: a report for each account that has any."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from falcon_balances.adapters.statements import Account, LogDays, StatementBucket, StatementFile
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.contracts.reconciliation_report import report
from falcon_balances.contracts.statement_lines import InvalidStatementError, Problem, Statement
from falcon_balances.contracts.statements import STATEMENT_BYTES_MAX, read_statement
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.domain.reconciliation import (
    LoggedOperation,
    Period,
    logged_operations,
    reconcile,
)


@dataclass(slots=True)
class ReconcilerRun:
    """What one run did. `invalid`: statements that could not be read, and keys that are none's."""

    reports: list[str] = field(default_factory=list)
    matched: int = 0
    open: int = 0
    overdue: int = 0
    invalid: int = 0
    flawed: list[str] = field(default_factory=list)


def reconcile_all(
    statements: StatementBucket, log: LogDays, *, today: date, days: int, look_back_days: int
) -> ReconcilerRun:
    """Everything of the last days again, so that what came late is found: a run keeps nothing.

    An account that has had a statement is expected to show all that the log has until today.
    """
    run = ReconcilerRun()
    oldest = today - timedelta(days=look_back_days)
    files: dict[Account, list[StatementFile]] = defaultdict(list)
    for key in statements.keys():  # noqa: SIM118 - no mapping
        file = StatementFile.of(key)
        if file is None:
            run.invalid += 1
        else:
            files[file.account].append(file)
    periods = {
        account: period
        for account, known in files.items()
        if (period := _period(known, oldest, today, days)) is not None
    }
    ours = {
        stage: _operations(log, stage, _widest(periods, stage).widened(days), run)
        for stage in sorted({account.stage for account in periods})
    }
    for account, period in sorted(periods.items(), key=lambda each: each[0]):
        recent = sorted(each for each in files[account] if each.day >= oldest)
        read = [_read(statements, each) for each in recent]
        problems = [each for one in read if not isinstance(one, Statement) for each in one]
        lines = [line for one in read if isinstance(one, Statement) for line in one.lines]
        found = reconcile(
            [each for each in ours[account.stage] if account.psp_id in ("", each.psp_id)],
            lines,
            period,
            days,
        )
        said = report(found, today, days)
        run.matched += found.matched
        run.open += len(found.open)
        run.overdue += said["overdue"]
        run.invalid += sum(not isinstance(one, Statement) for one in read)
        document = _document(period, [each.key for each in recent], problems, said)
        run.reports.append(statements.report(account, today, document))
    return run


def _period(files: Sequence[StatementFile], oldest: date, today: date, days: int) -> Period | None:
    """None where none is recent. What lies at the edge of those left out may be in one of them."""
    recent = [each.day for each in files if each.day >= oldest]
    if not recent:
        return None
    since = min(recent)
    if len(recent) < len(files):
        since += timedelta(days=days)
    return Period(since, today)


def _widest(periods: Mapping[Account, Period], stage: Stage) -> Period:
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


def _read(statements: StatementBucket, file: StatementFile) -> Statement | Sequence[Problem]:
    """What it says, or what is wrong with it."""
    try:
        return read_statement(file.key, statements.read(file.key, STATEMENT_BYTES_MAX))
    except InvalidStatementError as error:
        return error.problems


def _document(
    period: Period, keys: Sequence[str], problems: Sequence[Problem], said: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "from": None if period.since is None else period.since.isoformat(),
        "to": None if period.until is None else period.until.isoformat(),
        "statements": keys,
        "invalid": [each._asdict() for each in problems],
        **said,
    }
