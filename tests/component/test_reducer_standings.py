"""How the two stages of an operation stand to each other once they are counted."""

import json
from typing import Any

import pytest

from tests.builders import (
    confirmed,
    data_of,
    operation_id_of,
    reconciled,
    record_of,
)
from tests.component.disturbed import DisturbedDynamo
from tests.component.reducing import disturb

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
            aws.reduce(first, shard_id="shardId-000000000001")
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
