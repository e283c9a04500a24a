"""The reducer: every segment counted once, whatever repeats, meets or is cancelled."""

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.compact_lines import compact_text
from falcon_balances.domain.merged_marks import index_partition
from falcon_balances.domain.operation_tags import tags_of
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.past_keys import WindowKey
from falcon_balances.domain.table_keys import ItemKey
from inprocess.aws import BALANCES_TABLE
from tests.builders import (
    confirmed,
    data_of,
    operation_id_of,
    reconciled,
    record_of,
)
from tests.component.reducing import ONCE, WITH_FEE, segment
from tests.component.world import utc


def test_a_segment_is_counted_into_balance_window_and_day_and_leaves_its_mark(aws):
    record = record_of(confirmed(), WITH_FEE)
    aws.reduce(data_of(record), arrived_at=utc("2026-11-20T10:31:00"))
    counted = {"confirmed": 9900, "pending": 9900, "operations_count": 2}
    by_type = {"confirmed_capture": 10000, "confirmed_psp_fee": -100, "operations_count": 2}
    assert aws.items("BALANCE") == {"BALANCE#bs-5553-eur#EUR": counted}
    assert aws.items("WINDOW") == {"WINDOW#bs-5553-eur#EUR#2026-11-20T10:30:00Z": counted}
    assert aws.items("DAY") == {"DAY#2026-11-20#bs-5553-eur#EUR": by_type}
    operation_id = operation_id_of(confirmed())
    window, date = "2026-11-20T10:30:00Z", "2026-11-20T10:15:30Z"
    assert aws.items("OPERATION") == {
        f"OPERATION#{operation_id}#confirmed": {
            "fingerprint": record.fingerprint,
            "lines": compact_text(record.to_segment().lines),
            "window": window,
            "spread": index_partition("m-5553", operation_id),
            "counted_order": f"{window}#{date}#{operation_id}#confirmed",
            "tags": tags_of(Stage.CONFIRMED, record.to_segment().lines),
            "effect": "bs-5553-eur#EUR#9900#0#0#0#0",
        }
    }


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([confirmed()], ONCE),
        (
            [confirmed(), reconciled()],
            {
                "confirmed": 10000,
                "reconciled": 10000,
                "pending": 0,
                "available": 10000,
                "operations_count": 2,
            },
        ),
        (
            [confirmed(), confirmed(type="refund", amount="40.00")],
            {
                "confirmed": 6000,
                "pending": 10000,
                "debits_untraced": 4000,
                "available": -4000,
                "operations_count": 2,
            },
        ),
        (
            [confirmed(type="chargeback"), reconciled(type="chargeback")],
            {
                "confirmed": -10000,
                "reconciled": -10000,
                "debits_untraced": 0,
                "available": -10000,
                "operations_count": 2,
            },
        ),
        (
            [reconciled()],
            {"reconciled": 10000, "unapplied": 10000, "operations_count": 1},
        ),
        (
            [confirmed(amount="1.00"), reconciled()],
            {
                "confirmed": 100,
                "reconciled": 10000,
                "pending": 0,
                "unapplied": 9900,
                "available": 100,
                "operations_count": 2,
            },
        ),
        (
            [reconciled(type="refund", amount="40.00")],
            {
                "reconciled": -4000,
                "debits_unconfirmed": 4000,
                "available": -4000,
                "operations_count": 1,
            },
        ),
    ],
    ids=[
        "captured",
        "reconciled",
        "refunded",
        "charged back",
        "reconciled alone",
        "a hundredfold",
        "refund seen only at the bank",
    ],
)
def test_money_is_confirmed_pending_and_available_as_the_design_says(aws, documents, expected):
    aws.reduce(*(data_of(record_of(document)) for document in documents))
    assert aws.balance() == expected


def test_what_is_counted_in_a_later_month_is_noted_as_late(aws):
    record = data_of(record_of(confirmed(), WITH_FEE))
    for _ in range(2):
        aws.reduce(record, arrived_at=utc("2026-12-01T00:00:00"))
    mark = aws.items("OPERATION")[f"OPERATION#{operation_id_of(confirmed())}#confirmed"]
    assert aws.items("LATE") == {f"LATE#2026-11#{mark['counted_order']}": {"operations_count": 2}}
    assert aws.items("DAY") == {
        "DAY#2026-11-20#bs-5553-eur#EUR": {
            "confirmed_capture": 10000,
            "confirmed_psp_fee": -100,
            "late_confirmed_capture": 10000,
            "late_confirmed_psp_fee": -100,
            "operations_count": 2,
        }
    }


def test_a_balance_says_since_when_it_is_negative(aws):
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)

    def negative_since():
        (balance,) = store.balances("m-5553")
        return balance.negative_since

    refund = data_of(record_of(confirmed(type="refund", amount="40.00")))
    aws.reduce(refund)
    since = negative_since()
    assert since is not None
    aws.reduce(refund)
    aws.reduce(data_of(record_of(confirmed(type="chargeback", amount="1.00"))))
    assert negative_since() == since
    aws.reduce(data_of(record_of(confirmed())), data_of(record_of(reconciled())))
    assert negative_since() is None
    key = ItemKey("MERCHANT#m-5553", "BALANCE#bs-5553-eur#EUR")
    assert store.available_now([key]) == {key: (5900, None)}


@pytest.mark.parametrize(
    "batches",
    [
        [[0, 0, 0]],
        [[0], [0], [0]],
        [[0, 1], [1, 0]],
        [[1, 0, 1], [0, 1]],
    ],
    ids=["in one batch", "in later batches", "swapped", "mixed"],
)
def test_what_repeats_is_counted_once(aws, batches):
    for batch in batches:
        aws.reduce(*(segment(n) for n in batch))
    known = len({n for batch in batches for n in batch})
    expected = {"confirmed": 10000 * known, "pending": 10000 * known, "operations_count": known}
    assert aws.balance() == expected
    assert len(aws.items("OPERATION")) == known
    assert aws.quarantined() == []


def test_a_repeat_of_a_later_quarter_does_not_move_what_is_counted(aws):
    aws.reduce(segment(0), arrived_at=utc("2026-11-20T10:14:59"))
    aws.reduce(segment(0), segment(1), arrived_at=utc("2026-11-20T10:15:00"))
    assert aws.items("WINDOW") == {
        "WINDOW#bs-5553-eur#EUR#2026-11-20T10:00:00Z": ONCE,
        "WINDOW#bs-5553-eur#EUR#2026-11-20T10:15:00Z": ONCE,
    }


def test_the_same_identity_with_other_content_in_one_batch_is_refused(aws):
    forged = segment(0, amount="999.00")
    aws.reduce(segment(0), forged, segment(1), segment(0))
    assert aws.balance() == {"confirmed": 20000, "pending": 20000, "operations_count": 2}
    assert [(refused.code, refused.body) for refused in aws.quarantined()] == [("E_RECORD", forged)]


@pytest.mark.parametrize(
    "changes",
    [{"fingerprint": "0" * 64}, {"body": "other"}],
    ids=["another fingerprint", "other lines"],
)
def test_what_differs_from_a_counted_segment_in_anything_is_refused(aws, changes):
    record = record_of(confirmed(), WITH_FEE)
    aws.reduce(data_of(record))
    if "body" in changes:
        changes = {"body": record_of(confirmed()).body}  # the lines without a fee: ours in form
    forged = data_of(SegmentRecordV1(**record.model_dump() | changes))
    aws.reduce(forged)
    assert aws.balance()["operations_count"] == 2
    assert [refused.code for refused in aws.quarantined()] == ["E_RECORD"]


def windows_of(aws) -> list[str]:
    return sorted(WindowKey.parse(sk).start for sk in aws.items("WINDOW"))


def test_windows_never_go_back_within_a_shard_though_arrival_times_do(aws):
    """Its second batch is Kinesis' clock gone back, without a cut in between."""
    aws.reduce(segment(0), arrived_at=utc("2026-11-20T10:15:01"))
    aws.reduce(segment(1), arrived_at=utc("2026-11-20T10:14:59"))
    assert windows_of(aws) == ["2026-11-20T10:15:00Z"]
    aws.reduce(segment(2), arrived_at=utc("2026-11-20T10:14:59"), shard_id="shardId-000000000001")
    assert windows_of(aws) == ["2026-11-20T10:00:00Z", "2026-11-20T10:15:00Z"]
