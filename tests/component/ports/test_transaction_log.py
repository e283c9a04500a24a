"""What the log does, in memory and in S3: written once, read back as it was."""

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.ports import LogObject, LogTooLargeError
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_keys import DayRange, log_key
from falcon_balances.domain.operations import Stage
from inprocess.aws import LOG_BUCKET
from tests.builders import confirmed, context_of, reconciled, record_of, records_of, shop
from tests.component.ledger import adjustment, any_claim_of, payout, payout_return

KEY = "confirmed/merchant_id=m-1/date=2026-11-20/673d679f-05b5-5e9f-acf0-6e2e1c604768.csv"
FIRST = LogObject(b"header\nline\n", {"fingerprint": "f" * 64, "context_version": "v1"})


def test_an_object_is_read_back_as_it_was_appended(log):
    version_id = log.append(KEY, FIRST)
    assert version_id
    assert log.read(KEY) == FIRST
    assert log.read(KEY).version_id == version_id


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(FIRST, id="the same bytes"),
        pytest.param(LogObject(b"other\n", FIRST.metadata), id="other bytes"),
        pytest.param(LogObject(FIRST.body, {"fingerprint": "0" * 64}), id="other metadata"),
    ],
)
def test_a_second_append_writes_nothing_and_says_so(log, again):
    log.append(KEY, FIRST)
    assert log.append(KEY, again) is None
    assert log.read(KEY) == FIRST


def test_keys_are_written_apart(log):
    log.append(KEY, FIRST)
    assert log.append(KEY.replace("m-1", "m-2"), LogObject(b"other\n", {})) is not None
    assert log.read(KEY) == FIRST


def test_what_is_not_there_cannot_be_read(log):
    with pytest.raises(TransientError, match=KEY):
        log.read(KEY)


def test_of_many_keys_those_are_read_that_exist(log):
    keys = [KEY.replace("m-1", f"m-{n}") for n in range(40)]
    for key in keys[:30]:
        log.append(key, LogObject(key.encode(), {}))
    found = log.read_existing(keys)
    assert {key: logged.body for key, logged in found.items()} == {k: k.encode() for k in keys[:30]}
    assert log.read_existing([]) == {}


def test_a_second_append_makes_no_new_version(aws):
    """Only S3 has versions: an auditor must find one of each object."""
    log = S3TransactionLog(client("s3"), LOG_BUCKET)
    log.append(KEY, FIRST)
    before = aws.log_versions()
    log.append(KEY, FIRST)
    log.append(KEY, LogObject(b"other\n", {}))
    assert aws.log_versions() == before


def test_a_merchant_s_segments_are_read_back_whatever_their_stage(log):
    events = (confirmed(), reconciled(), confirmed(type="refund"))
    direct = (payout(), payout_return(), adjustment())
    ours = [record for each in (*events, *direct) for record in records_of(any_claim_of(each))]
    assert {record.stage for record in ours} == set(Stage)
    others = [record_of(confirmed(**shop("other")), context_of("other"))]
    for record in (*ours, *others):
        log.append(record.log_key, LogObject(record.body.encode(), {}))
    found = sorted(log.segments_of("m-5553"), key=log_key)
    assert [csv_body(segment) for segment in found] == [
        record.body for record in sorted(ours, key=lambda record: record.log_key)
    ]
    assert log.segments_of("m-none") == []


def logged(log, count: int, first: int = 0) -> None:
    """So many objects of m-5553, in two stages."""
    for n in range(first, first + count):
        event = (confirmed, reconciled)[n % 2](external_reference=f"order-{n}")
        record = record_of(event)
        log.append(record.log_key, LogObject(record.body.encode(), {}))


@pytest.mark.parametrize(
    ("objects", "objects_max", "are_read"),
    [(0, 0, True), (1, 0, False), (3, 3, True), (3, 4, True), (3, 2, False), (3, 1, False)],
)
def test_as_many_segments_are_read_as_asked_for_or_none(log, objects, objects_max, are_read):
    logged(log, objects)
    if are_read:
        assert len(log.segments_of("m-5553", objects_max)) == objects
        return
    with pytest.raises(LogTooLargeError, match="m-5553") as raised:
        log.segments_of("m-5553", objects_max)
    assert (raised.value.merchant_id, raised.value.objects_max) == ("m-5553", objects_max)
    assert len(log.segments_of("m-5553")) == objects


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("2026-11-19", "2026-11-21", ["19", "20", "21"]),
        ("2026-11-20", "2026-11-20", ["20"]),
        ("2026-11-21", "2026-12-31", ["21", "22"]),
        ("2026-11-23", "2026-12-31", []),
        ("2026-10-01", "2026-11-18", []),
        ("2026-11-21", "2026-11-20", []),
    ],
)
def test_of_some_days_no_other_objects_are_read_or_counted(log, first, last, found):
    for day in ("19", "20", "21", "22"):
        for event in (confirmed, reconciled):
            changes = {"external_reference": f"order-{day}"}
            changes |= {"operation_date": f"2026-11-{day}T23:59:59Z"}
            if event is reconciled:
                changes["reconciled_date"] = f"2026-11-{day}T23:59:59Z"
            record = record_of(event(**changes))
            log.append(record.log_key, LogObject(record.body.encode(), {}))
    # A stranger of another day is nobody's concern.
    log.append("confirmed/merchant_id=m-5553/date=2026-12-31x.csv", LogObject(b"x", {}))
    segments = log.segments_of("m-5553", 6, DayRange(first, last))
    told = sorted(f"{each.booked_at:%d} {each.stage}" for each in segments)
    assert told == [f"{day} {stage}" for day in found for stage in ("confirmed", "reconciled")]
    if len(found) > 1:
        with pytest.raises(LogTooLargeError):
            log.segments_of("m-5553", 2 * len(found) - 1, DayRange(first, last))


def test_that_a_log_is_too_large_is_told_before_any_of_it_is_read(log):
    """What cannot be read as a segment would be an error of its own."""
    for n in range(3):
        log.append(f"confirmed/merchant_id=m-5553/date=2026-11-20/{n}.csv", LogObject(b"x", {}))
    with pytest.raises(LogTooLargeError):
        log.segments_of("m-5553", 2)
    with pytest.raises((IntegrityError, ValueError)):
        log.segments_of("m-5553", 3)


def test_another_s_log_makes_no_log_too_large(log):
    logged(log, 2)
    for name in ("m-555", "m-55530", "m-5554"):
        record = record_of(confirmed(), context_of(merchant_id=name))
        log.append(record.log_key, LogObject(record.body.encode(), {}))
    assert len(log.segments_of("m-5553", 2)) == 2
    assert len(log.segments_of("m-555", 1)) == 1


def test_a_listing_of_many_pages_ends_where_it_is_known_to_be_too_long(aws, monkeypatch):
    """Two objects a page here; a thousand on AWS."""
    log = S3TransactionLog(client("s3"), LOG_BUCKET)
    logged(log, 10)
    asked: list[str] = []

    def note(params, model, **_) -> None:
        asked.append(model.name)
        if model.name == "ListObjectsV2":
            params["MaxKeys"] = 2

    event = "provide-client-params.s3.*"
    client("s3").meta.events.register(event, note)
    try:
        with pytest.raises(LogTooLargeError):
            log.segments_of("m-5553", 3)
        assert asked == ["ListObjectsV2"] * 2, "no object was read, no page too many listed"
        assert len(log.segments_of("m-5553", 10)) == 10
    finally:
        client("s3").meta.events.unregister(event, note)


def test_a_key_that_is_not_its_lines_own_is_not_read_as_a_segment(aws):
    log, record = S3TransactionLog(client("s3"), LOG_BUCKET), record_of()
    log.append(record.log_key.replace("confirmed/", "reconciled/"), LogObject(b"x\n", {}))
    with pytest.raises(IntegrityError, match="reconciled/"):
        log.segments_of("m-5553")
