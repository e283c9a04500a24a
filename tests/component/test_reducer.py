"""The reducer: every segment counted once, whatever repeats, meets or is cancelled."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.compact_lines import compact_text
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import TableWrite
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from inprocess.aws import BALANCES_TABLE
from lambdas.reducer import handler as reducer
from tests.builders import (
    claim_of,
    confirmed,
    context_of,
    data_of,
    fee_of,
    marketplace,
    operation_id_of,
    reconciled,
    record_of,
    records_of,
)
from tests.component.disturbed import DisturbedDynamo
from tests.component.world import utc

WITH_FEE = context_of(fees=[fee_of("1.00")])
ONCE = {"confirmed": 10000, "pending": 10000, "operations_count": 1}


def segment(n: int, **changes: Any) -> bytes:
    return data_of(record_of(confirmed(external_reference=f"order-{n}", **changes)))


def disturb(monkeypatch, dynamodb: DisturbedDynamo) -> DisturbedDynamo:
    monkeypatch.setattr(
        reducer, "client", lambda service: dynamodb if service == "dynamodb" else client(service)
    )
    reducer._world.cache_clear()
    return dynamodb


def test_a_segment_is_counted_into_balance_window_and_day_and_leaves_its_mark(aws):
    record = record_of(confirmed(), WITH_FEE)
    aws.reduce(data_of(record), arrived_at=utc("2026-11-20T10:31:00"))
    counted = {"confirmed": 9900, "pending": 9900, "operations_count": 2}
    by_type = {"confirmed_capture": 10000, "confirmed_psp_fee": -100, "operations_count": 2}
    assert aws.items("BALANCE") == {"BALANCE#bs-5553-eur#EUR": counted}
    assert aws.items("WINDOW") == {"WINDOW#2026-11-20T10:30:00Z#bs-5553-eur#EUR": counted}
    assert aws.items("DAY") == {"DAY#2026-11-20#bs-5553-eur#EUR": by_type}
    operation_id = operation_id_of(confirmed())
    window, date = "2026-11-20T10:30:00Z", "2026-11-20T10:15:30Z"
    assert aws.items("OPERATION") == {
        f"OPERATION#{operation_id}#confirmed": {
            "fingerprint": record.fingerprint,
            "log_key": record.log_key,
            "lines": compact_text(record.to_segment().lines),
            "window": window,
            "merchant_id": "m-5553",
            "counted_order": f"{window}#{date}#{operation_id}#confirmed",
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


STANDING = f"STANDING#{operation_id_of(confirmed())}"
SAYS = "bs-5553-eur#EUR#capture#10000"
STANDS = {
    "operation_date": "2026-11-20T10:15:30Z",
    "psp_id": confirmed()["psp_id"],
    "external_reference": confirmed()["external_reference"],
    "operation_type": "capture",
    "confirmed": SAYS,
    "reconciled": SAYS,
    "referenced": f"REFERENCE#m-5553#{confirmed()['external_reference']}",
}
OPEN = {"open": "MERCHANT#m-5553"}
CONFIRMED_ONLY = STANDS | OPEN | {"reconciled": "", "version": 1}
RECONCILED_ONLY = STANDS | OPEN | {"confirmed": "", "version": 1}
RECONCILED_ONLY["operation_date"] = reconciled()["reconciled_date"]
BOTH = STANDS | {"version": 2}
AGREED = reconciled()
DIFFERS = reconciled(amount="99.00")
CONTRADICTION = f"FINDING#stages_contradict#{operation_id_of(confirmed())}"
FOUND = {CONTRADICTION: "EUR:confirmed=10000,reconciled=9900"}
DIFFERENT = (
    STANDS
    | OPEN
    | {
        "reconciled": "bs-5553-eur#EUR#capture#9900",
        "version": 3,
        "found": json.dumps(FOUND, separators=(",", ":")),
    }
)


@pytest.mark.parametrize(
    ("batches", "stands"),
    [
        ([[confirmed()]], CONFIRMED_ONLY),
        ([[AGREED]], RECONCILED_ONLY),
        ([[confirmed(), AGREED]], BOTH),
        ([[AGREED], [confirmed()]], BOTH),
        ([[confirmed()], [AGREED], [confirmed(), AGREED]], BOTH),
        ([[confirmed()], [confirmed()], [AGREED]], BOTH),
        ([[confirmed(), DIFFERS]], DIFFERENT),
        ([[DIFFERS], [confirmed()], [DIFFERS, confirmed()]], DIFFERENT),
    ],
    ids=[
        "confirmed alone",
        "reconciled alone",
        "both in one batch",
        "one after the other",
        "again when both were there",
        "again before both were there",
        "different in one batch",
        "different, and again",
    ],
)
def test_an_operation_is_open_until_its_other_stage_says_the_same(aws, batches, stands):
    for batch in batches:
        aws.reduce(*(data_of(record_of(document)) for document in batch))
    assert aws.items("STANDING") == {STANDING: stands}
    assert aws.quarantined() == []


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
        "WINDOW#2026-11-20T10:00:00Z#bs-5553-eur#EUR": ONCE,
        "WINDOW#2026-11-20T10:15:00Z#bs-5553-eur#EUR": ONCE,
    }


def test_a_transaction_cancelled_for_mixed_reasons_drops_only_what_is_counted(aws, monkeypatch):
    aws.reduce(segment(0))
    dynamodb = disturb(monkeypatch, DisturbedDynamo((1,), (5,)))
    aws.reduce(segment(0), segment(1), segment(2))
    # Three marks with their standings and sales, then two; balance, window and day.
    assert dynamodb.sizes == [12, 9, 9]
    assert aws.balance() == {"confirmed": 30000, "pending": 30000, "operations_count": 3}
    assert aws.quarantined() == []


def test_other_content_among_mixed_reasons_is_refused_and_the_rest_counted(aws, monkeypatch):
    aws.reduce(segment(0))
    forged = segment(0, amount="999.00")
    disturb(monkeypatch, DisturbedDynamo((1,), code="ThrottlingError"))
    aws.reduce(forged, segment(1), segment(2))
    assert aws.balance() == {"confirmed": 30000, "pending": 30000, "operations_count": 3}
    assert [(refused.code, refused.body) for refused in aws.quarantined()] == [("E_RECORD", forged)]


def test_conflicts_without_end_give_the_batch_back_uncounted(aws, monkeypatch):
    dynamodb = disturb(monkeypatch, DisturbedDynamo(*[(0,)] * 99))
    with pytest.raises(TransientError, match="1 segments not counted"):
        aws.reduce(segment(0))
    assert aws.items("BALANCE") == aws.items("OPERATION") == {}
    assert len(dynamodb.sizes) == 6
    dynamodb._conflicts.clear()
    aws.reduce(segment(0))
    assert aws.balance() == ONCE


def test_a_batch_that_failed_half_way_counts_the_rest_when_it_comes_back(aws, monkeypatch):
    batch = [segment(n) for n in range(200)]
    dynamodb = disturb(monkeypatch, DisturbedDynamo())
    passed = dynamodb.transact_write_items

    def fail_after_the_first(**said: Any) -> Any:
        if dynamodb.sizes:
            error = {"Error": {"Code": "InternalServerError", "Message": ""}}
            raise ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]
        return passed(**said)

    monkeypatch.setattr(dynamodb, "transact_write_items", fail_after_the_first)
    with pytest.raises(TransientError):
        aws.reduce(*batch)
    assert 0 < aws.balance()["operations_count"] < 200
    monkeypatch.setattr(dynamodb, "transact_write_items", passed)
    aws.reduce(*batch)
    assert aws.balance()["operations_count"] == 200
    assert aws.balance()["confirmed"] == 200 * 10000


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


def test_a_merchant_with_forty_balance_shops_in_one_event_is_counted_whole_and_once(aws):
    sellers = [context_of(str(n), merchant_id="m-5553") for n in range(40)]
    event = marketplace([(str(n), "10.00", "1.00") for n in range(40)], "400.00")
    records = records_of(claim_of(event, context_of("market"), *sellers))
    for _ in range(2):
        aws.reduce(*(data_of(record) for record in records), segment(7))
    balances = aws.items("BALANCE")
    assert len(balances) == 41
    own = balances.pop("BALANCE#bs-5553-eur#EUR")
    assert own == ONCE
    assert all(
        counters == {"confirmed": 900, "pending": 900, "operations_count": 2}
        for counters in balances.values()
    )
    marks = [sk for sk in aws.items("OPERATION") if operation_id_of(event) in sk]
    assert [sk.partition("#confirmed")[2] for sk in sorted(marks)] == ["", "#1"]
    assert aws.items("BALANCE", "m-market") == {
        "BALANCE#bs-market-eur#EUR": {"confirmed": 4000, "pending": 4000, "operations_count": 40}
    }
    assert aws.quarantined() == []


def test_a_refused_segment_of_forty_balance_shops_counts_in_none_of_its_parts(aws):
    """Its later parts have no counterpart in what was counted: they must go with the first."""
    sellers = [context_of(str(n), merchant_id="m-5553") for n in range(40)]
    event = marketplace([(str(n), "10.00", None) for n in range(40)], "400.00")
    [record] = records_of(claim_of(event, context_of("market"), *sellers))
    aws.reduce(data_of(record_of(confirmed(amount="400.00"))))
    before = aws.items("BALANCE")
    aws.reduce(data_of(record))
    assert [refused.code for refused in aws.quarantined()] == ["E_RECORD"]
    assert aws.items("BALANCE") == before


def test_a_hot_merchant_s_thousand_segments_are_counted_in_few_transactions(aws, monkeypatch):
    """On the fake store, which does as DynamoDB does: moto would take ten seconds for it."""
    store = MemoryBalanceStore()
    sizes: list[int] = []

    def conflicts(writes: Sequence[TableWrite]) -> Sequence[int]:
        sizes.append(len(writes))
        return ()

    monkeypatch.setattr(reducer, "DynamoBalanceStore", lambda *_: store)
    monkeypatch.setattr(store, "conflicts", conflicts)
    reducer._world.cache_clear()
    aws.reduce(*(segment(n) for n in range(1000)))
    [balance] = store.balances("m-5553")
    assert (balance.confirmed, balance.pending, balance.operations_count) == (10**7, 10**7, 1000)
    # A mark, a standing and a sale for each segment, and the balance's three items: 32 fit.
    assert sizes == [3 * 32 + 3] * 31 + [3 * 8 + 3]
    kinds = Counter(key.sk.split("#")[0] for key in store.marks)
    assert kinds == {"OPERATION": 1000, "STANDING": 1000}


def test_a_conflict_at_the_last_attempt_that_another_has_counted_is_no_failure(aws, monkeypatch):
    dynamodb = disturb(monkeypatch, DisturbedDynamo(*[(0,)] * 5))
    passed = dynamodb.transact_write_items

    def counted_by_another_at_last(**said: Any) -> Any:
        if len(dynamodb.sizes) == 5:
            client("dynamodb").transact_write_items(**said)
        return passed(**said)

    monkeypatch.setattr(dynamodb, "transact_write_items", counted_by_another_at_last)
    aws.reduce(segment(0))
    assert aws.balance() == ONCE
    assert len(dynamodb.sizes) == 6


@pytest.mark.parametrize("counted_first", [confirmed(), reconciled()])
def test_the_other_stage_counted_between_reading_and_counting_is_counted_upon(
    aws, monkeypatch, counted_first
):
    """By another reducer, after resharding."""
    first, second = data_of(record_of(counted_first)), data_of(record_of(confirmed()))
    if counted_first == confirmed():
        second = data_of(record_of(reconciled()))
    dynamodb = disturb(monkeypatch, DisturbedDynamo())
    passed = dynamodb.transact_write_items

    def after_another(**said: Any) -> Any:
        if not dynamodb.sizes:
            monkeypatch.setattr(dynamodb, "transact_write_items", passed)
            aws.reduce(first)
        return passed(**said)

    monkeypatch.setattr(dynamodb, "transact_write_items", after_another)
    aws.reduce(second)
    assert aws.items("STANDING")[STANDING]["version"] == 2
    assert "open" not in aws.items("STANDING")[STANDING]
    assert aws.balance()["available"] == aws.balance()["confirmed"] == 10000
    assert {aws.balance().get(name, 0) for name in ("pending", "unapplied")} == {0}
    # The confirmed one's transaction has its sale. The first try is refused: its standing must not
    # be there.
    assert sorted(dynamodb.sizes) in ([5, 5, 6], [5, 6, 6])


def test_many_merchants_share_transactions_and_none_gets_another_s_money(aws, monkeypatch):
    dynamodb = disturb(monkeypatch, DisturbedDynamo())
    names = [str(n) for n in range(50)]
    records = [
        record_of(
            confirmed(
                external_reference=f"{name}-{n}", local_merchant_id=name, shop_id=f"shop-{name}"
            ),
            context_of(name),
        )
        for n in range(2)
        for name in names
    ]
    aws.reduce(*(data_of(record) for record in records))
    assert {aws.balance(name)["confirmed"] for name in names} == {20000}
    # Nine items for the two segments of a merchant: two marks, two standings, two sales, and three
    # shared.
    assert dynamodb.sizes == [99, 99, 99, 99, 54]


def windows_of(aws) -> list[str]:
    return sorted(sk.split("#")[1] for sk in aws.items("WINDOW"))


def test_windows_never_go_back_within_a_shard_though_arrival_times_do(aws):
    """Its second batch is Kinesis' clock gone back, without a cut in between."""
    aws.reduce(segment(0), arrived_at=utc("2026-11-20T10:15:01"))
    aws.reduce(segment(1), arrived_at=utc("2026-11-20T10:14:59"))
    assert windows_of(aws) == ["2026-11-20T10:15:00Z"]
    aws.reduce(segment(2), arrived_at=utc("2026-11-20T10:14:59"), shard_id="shardId-000000000001")
    assert windows_of(aws) == ["2026-11-20T10:00:00Z", "2026-11-20T10:15:00Z"]


def test_a_batch_that_comes_back_gives_the_same_windows(aws, monkeypatch):
    """Its floor is only written down once all of it is counted."""
    store = MemoryBalanceStore()
    monkeypatch.setattr(reducer, "DynamoBalanceStore", lambda *_: store)
    reducer._world.cache_clear()
    aws.reduce(segment(0), arrived_at=utc("2026-11-20T10:00:00"))
    monkeypatch.setattr(store, "conflicts", lambda _writes: (0,))
    with pytest.raises(TransientError):
        aws.reduce(segment(1), arrived_at=utc("2026-11-20T10:15:00"))
    monkeypatch.setattr(store, "conflicts", lambda _writes: ())
    aws.reduce(segment(2), arrived_at=utc("2026-11-20T10:14:00"))
    windows = {key.sk.split("#")[1] for key in store.counters if key.sk.startswith("WINDOW#")}
    assert windows == {"2026-11-20T10:00:00Z"}
