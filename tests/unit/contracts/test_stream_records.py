from typing import Any

import pytest
from hypothesis import given

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.samples import CUT_SAMPLE, VERSION_ID_SAMPLE, segment_record_samples
from falcon_balances.contracts.stream_records import (
    CutRecordV1,
    SegmentRecordV1,
    parse_stream_record,
)
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.identity import balance_operation_uuid
from falcon_balances.domain.log_grammar import HEADER
from falcon_balances.domain.operations import OperationType, Stage
from tests.strategies import Case, accepted_cases, few
from tests.unit.contracts.messages import raw

RECORD: dict[str, Any] = segment_record_samples("plain-capture")[0].model_dump(mode="json")
CUT: dict[str, Any] = CutRecordV1.of(CUT_SAMPLE).model_dump(mode="json")


def read(data: bytes) -> str | None:
    """None: the record is ours."""
    try:
        record = parse_stream_record(data)
        if isinstance(record, SegmentRecordV1):
            record.to_segment()
        else:
            record.to_cut()
    except RejectedOperation as rejected:
        return str(rejected.code)
    return None


@few
@given(accepted_cases())
def test_a_record_reads_back_as_the_segment_it_was_made_of(case: Case):
    event = case.split()
    claim = ClaimV1.of(case.operation, "2026-03-05T10:15:30Z", event)
    for segment, claimed in zip(event.segments, claim.segments, strict=True):
        data = SegmentRecordV1.of(claim, claimed, VERSION_ID_SAMPLE).model_dump_json().encode()
        record = parse_stream_record(data)
        assert isinstance(record, SegmentRecordV1)
        assert record.to_segment() == segment
        assert (record.log_key, record.body) == (claimed.log_key, claim.body_of(claimed))


def test_a_cut_reads_back_as_itself():
    record = parse_stream_record(CutRecordV1.of(CUT_SAMPLE).model_dump_json().encode())
    assert isinstance(record, CutRecordV1)
    assert record.to_cut() == CUT_SAMPLE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"kind": "segment"}',
        b'{"kind": "block"}',
        b'{"kind": ["cut"]}',
        raw({name: value for name, value in RECORD.items() if name != "kind"}),
        raw(RECORD | {"kind": "cut"}),
        raw(RECORD | {"schema_version": "2"}),
        raw(RECORD | {"surplus": 1}),
        raw(RECORD | {"stage": "Confirmed"}),
        raw(RECORD | {"part": 0}),
        raw(RECORD | {"parts": 0}),
        raw(RECORD | {"part": None}),
        raw(RECORD | {"part": "1"}),
        raw(RECORD | {"part": 1.0}),
        raw(RECORD | {"part": 5}),  # of one
        raw(RECORD | {"merchant_id": "m#1"}),
        raw(RECORD | {"merchant_id": "m-other"}),
        raw(RECORD | {"stage": "reconciled"}),
        raw(RECORD | {"stage": "payout"}),
        raw(RECORD | {"part": 2, "parts": 3}),
        raw(RECORD | {"fingerprint": "F" * 64}),
        raw(RECORD | {"fingerprint": "f" * 63}),
        raw(RECORD | {"log_key": RECORD["log_key"] + "x"}),
        raw(RECORD | {"context_version": "\ud800"}),
        raw(RECORD | {"body": ""}),
        raw(RECORD | {"body": f"{HEADER}\n"}),
        raw(CUT | {"cut_at": "now"}),
        raw(CUT | {"cut_at": 5}),
        raw(CUT | {"cut_at": "2026-03-05T10:16:00.5+02:00"}),
        raw(CUT | {"shards": "shard"}),
        raw(CUT | {"shards": [5]}),
        raw(CUT | {"schema_version": "2"}),
    ],
)
def test_what_is_not_as_we_write_it_is_no_record(data):
    assert read(data) == "E_RECORD"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (",100.00,", ",-100.00,"),  # a capture is positive
        (",-1.00,", ",0.00,"),
        (",-1.00,", ",-0.00,"),
        (",100.00,", ",100.0,"),  # not at full scale
        (",100.00,", ",100,"),
        (",EUR,", ",JPY,"),
        (",EUR,", ",ABC,"),
        (",EUR,", ",eur,"),
        (",capture,", ",withdrawal,"),
        (",capture,", ",cashback,"),  # its uuid says capture
        (",psp_fee,", ",capture,"),
        ("bs-m-books-eur", "bs-other"),
        ("T08:15:30Z", "T08:15:30+00:00"),
        ("2026-03-05T08:15:30Z,5553", "2026-03-06T08:15:30Z,5553"),
    ],
)
def test_a_body_that_says_what_we_would_not_is_refused(old, new):
    assert old in RECORD["body"]
    assert read(raw(RECORD | {"body": RECORD["body"].replace(old, new)})) == "E_RECORD"


def test_lines_in_another_order_or_left_out_or_twice():
    header, first, second, _ = RECORD["body"].split("\n")
    other_day = first.replace("2026-03-05", "2026-03-06")
    for lines in ([first, first], [first, other_day], [second, second]):
        assert read(raw(RECORD | {"body": "\n".join([header, *lines, ""])})) == "E_RECORD"


def forged(**columns: str) -> bytes:
    """A record whose uuids, key and columns agree with each other, but not with the contract."""
    said = {
        "external_reference": "r",
        "amount": "1.00",
        "operation_id": "44d6f5f5-7f7c-5b2c-9f0c-2f1f9cf7d6a1",
        "local_merchant_id": "l",
        "balance_shop_id": "bs",
    } | columns
    operation_id, balance = said["operation_id"], said["balance_shop_id"]
    uuid = balance_operation_uuid(
        operation_id, Stage.CONFIRMED, "m", balance, OperationType.CAPTURE, 0
    )
    line = (
        f"{uuid},{said['external_reference']},{said['amount']},EUR,capture,{operation_id},"
        f"2026-03-05T08:15:30Z,{said['local_merchant_id']},s,{balance},psp-1,,,,,"
    )
    key = f"confirmed/merchant_id=m/date=2026-03-05/{operation_id}.csv"
    return raw(RECORD | {"merchant_id": "m", "log_key": key, "body": f"{HEADER}\n{line}\n"})


def test_a_forged_record_is_refused_for_its_columns_only():
    assert read(forged()) is None


# DynamoDB takes keys of 1,024 bytes, numbers of 38 digits and items of 400 KB: a record beyond
# those would be tried again for ever, and hold up its shard.
@pytest.mark.parametrize(
    "columns",
    [
        {"balance_shop_id": "b" * 3000},
        {"balance_shop_id": "bs#EUR"},
        {"balance_shop_id": ""},
        {"operation_id": "x#confirmed"},
        {"operation_id": "o" * 2000},
        {"amount": "9" * 60 + ".00"},
        {"external_reference": "a" * 500_000},
        {"external_reference": '"a\r'},
        {"local_merchant_id": "é"},
    ],
)
def test_a_record_that_the_table_could_not_take_is_refused(columns):
    assert read(forged(**columns)) == "E_RECORD"
