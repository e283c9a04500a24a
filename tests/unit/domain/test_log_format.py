from dataclasses import replace

import pytest

from falcon_balances.domain.log_format import csv_body, expected_uuids, parse_csv_body
from falcon_balances.domain.log_grammar import COLUMNS, HEADER
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.domain.splitting import split
from tests.unit.domain.events import context, directory, event, segment_of

CONTEXTS = directory(context("9", "market"), context("1", "seller", "1.00"))


def segment(stage: Stage = Stage.CONFIRMED) -> Segment:
    return split(event("capture", "100.00", "1", stage=stage), CONTEXTS).segments[0]


def test_the_columns_are_in_the_order_of_the_design():
    assert ",".join(COLUMNS) == HEADER
    assert HEADER == (
        "uuid,external_reference,amount,currency,type,falcon_operation_id,operation_date,"
        "local_merchant_id,shop_id,balance_shop_id,psp_id,original_reference,occurrence,"
        "bank_reference,reason_code,requested_by"
    )


def test_a_body_is_a_header_and_a_line_per_balance_operation():
    lines = segment().lines
    assert csv_body(segment()) == (
        f"{HEADER}\n"
        f"{lines[0].uuid},ref-1,100.00,EUR,capture,{lines[0].falcon_operation_id},"
        "2026-03-05T10:15:30Z,1,s-1,bs-seller,psp-1,,,,,\n"
        f"{lines[1].uuid},ref-1,-1.00,EUR,psp_fee,{lines[0].falcon_operation_id},"
        "2026-03-05T10:15:30Z,1,s-1,bs-seller,psp-1,,,,,\n"
    )


def test_a_payouts_line_has_empty_columns_and_reads_back():
    line = replace(
        segment_of(Stage.PAYOUT, ("withdrawal", -5000)).lines[0],
        local_merchant_id="",
        shop_id="",
        psp_id="",
    )
    payout = Segment(Stage.PAYOUT, "m", 1, 1, (line,))
    assert csv_body(payout).endswith("2026-03-05T10:15:30Z,,,bs-0,,,,,,\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("uuid,", "UUID,"),
        (HEADER, ""),
        ("psp-1,,,,,\n", "psp-1,,,,,"),
        ("\n", "\r\n"),
        ("psp-1,,,,,\n", "psp-1,,,,,\n\n"),
        (",EUR,", ",EUR,EUR,"),
        (",EUR", ""),
        (",100.00,", ",+100.00,"),
        (",100.00,", ",0100.00,"),
        (",100.00,", ",100.,"),
        (",100.00,", ",.00,"),
        (",100.00,", ",1e2,"),
        (",100.00,", ",1_00.00,"),
        (",100.00,", ",１00.00,"),  # noqa: RUF001 - a fullwidth digit is the case
        (",100.00,", ", 100.00,"),
        (",100.00,", ",NaN,"),
        (",100.00,", f",{'9' * 5000},"),
        (",capture,", ",Capture,"),
        (",capture,", ",payout,"),
        ("05T10:15:30Z", "05T10:15:30+00:00"),
        ("05T10:15:30Z", "05T10:15:60Z"),
        ("05T10:15:30Z", "05"),
        ("2026-03-05", "2026-02-30"),
    ],
)
def test_what_we_would_not_have_written_is_no_body(old, new):
    body = csv_body(segment())
    assert old in body
    with pytest.raises(ValueError, match=r"."):
        parse_csv_body(body.replace(old, new))


@pytest.mark.parametrize("body", ["", "\n", HEADER, f"{HEADER}\n", "a,b\n", f"\ufeff{HEADER}\nx\n"])
def test_a_body_without_lines_or_header_is_refused(body):
    with pytest.raises(ValueError, match=r"."):
        parse_csv_body(body)


def test_uuids_are_derived_again_from_the_lines():
    operation = event("capture", "3.00", "9", ("1", "1.00", "0.10"), ("1", "2.00", "0.10"))
    for item in split(operation, CONTEXTS).segments:
        assert expected_uuids(item.staged, item.merchant_id, item.lines) == [
            line.uuid for line in item.lines
        ]
