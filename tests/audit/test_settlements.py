"""The log's side of a reconciliation is the same by Arrow as line by line."""

from datetime import date

from hypothesis import given

from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.settlements import operations_in
from falcon_balances.domain.bank_statement_lines import Period
from falcon_balances.domain.logged_operations import logged_operations
from falcon_balances.domain.operations import PSP_STAGES, Stage
from generated.logs import objects_of
from tests.audit.logs import MemoryLog
from tests.audit.sealed import objects
from tests.strategies import few, journals

EVER = Period()


@given(journals())
@few
def test_arrow_and_pencil_find_the_same_operations(segments):
    findings: list[LogFinding] = []
    found = operations_in(MemoryLog(objects_of(segments)), PSP_STAGES, EVER, findings)
    assert sorted(found) == sorted(logged_operations(segments))
    assert not findings


def test_only_the_days_and_the_stages_that_are_asked_for():
    log = MemoryLog(objects(30, 5))
    findings: list[LogFinding] = []
    reconciled = operations_in(log, [Stage.RECONCILED], EVER, findings)
    assert {each.stage for each in reconciled} == {Stage.RECONCILED}
    days = sorted({each.day for each in reconciled})
    some = operations_in(log, [Stage.RECONCILED], Period(days[1], days[3]), findings)
    assert {each.day for each in some} == set(days[1:3])
    assert operations_in(log, [Stage.PAYOUT], EVER, findings) == []
    assert operations_in(log, PSP_STAGES, Period(date.max, None), findings) == []


def test_what_is_flawed_is_told():
    log = objects(5, 2)
    key = next(each for each in log if each.startswith("reconciled/") and "-of-" not in each)
    log[key] = log[key].replace(b"capture", b"capturE")
    findings: list[LogFinding] = []
    found = operations_in(MemoryLog(log), [Stage.RECONCILED], EVER, findings)
    assert [each.key for each in findings] == [key]
    assert key.rpartition("/")[2][:36] not in {each.falcon_operation_id for each in found}
