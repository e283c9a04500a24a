"""Records that are not ours: to quarantine as E_RECORD, while the rest of the shard is counted."""

import json
from typing import Any

import pytest

from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.identity import balance_operation_uuid
from falcon_balances.domain.operations import OperationType, Stage
from lambdas.reducer import handler as reducer
from tests.builders import confirmed, context_of, cut_of, data_of, fee_of, record_of
from tests.component.lambda_events import SHARD

GOOD = data_of(record_of(confirmed(external_reference="good")))
RECORD = record_of(confirmed(external_reference="bad"), context_of(fees=[fee_of()]))
LINES = RECORD.body.splitlines()
OPERATION_ID = LINES[1].split(",")[5]


def changed(**changes: Any) -> bytes:
    return json.dumps(RECORD.model_dump(mode="json") | changes).encode()


def without(name: str) -> bytes:
    document = RECORD.model_dump(mode="json")
    del document[name]
    return json.dumps(document).encode()


def lines(*rows: str) -> bytes:
    return changed(body="\n".join([LINES[0], *rows]) + "\n")


def forged(column: int, value: str, **changes: Any) -> bytes:
    """One line as anybody could forge it who knows the design: uuid and key fit what it says."""
    fields = LINES[1].split(",")
    fields[column] = value
    operation_id, kind, balance_shop_id = fields[5], fields[4], fields[9]
    fields[0] = balance_operation_uuid(
        operation_id, Stage.CONFIRMED, "m-5553", balance_shop_id, OperationType(kind), 0
    )
    key = f"confirmed/merchant_id=m-5553/date={fields[6][:10]}/{operation_id}.csv"
    body = "\n".join([LINES[0], ",".join(fields)]) + "\n"
    return changed(body=body, log_key=key, **changes)


def large_body() -> bytes:
    """2,500 lines: more than an item of DynamoDB can hold."""
    rows = []
    for n in range(2500):
        fields = LINES[1].split(",")
        fields[0] = balance_operation_uuid(
            OPERATION_ID, Stage.CONFIRMED, "m-5553", fields[9], OperationType.CAPTURE, n
        )
        rows.append(",".join(fields))
    return lines(*rows)


POISON = {
    "no bytes": b"",
    "garbage": b"\xff\xfe\x00garbage",
    "no object": b"[1, 2]",
    "another kind": b'{"kind": "block"}',
    "deep nesting": b"[" * 100_000,
    "an unknown version": changed(schema_version="2"),
    "an unknown stage": changed(stage="blocked"),
    "an unknown field": changed(surprise=1),
    "a missing field": without("fingerprint"),
    "a wrong fingerprint": changed(fingerprint="secret"),
    "a wrong merchant": changed(merchant_id="not an id"),
    "another merchant": changed(merchant_id="m-other"),
    "another key": changed(log_key="confirmed/elsewhere.csv"),
    "another stage": changed(stage="reconciled"),
    "a part of nothing": changed(part=2, parts=0),
    "huge numbers": changed(part=10**4000, parts=10**4000),
    "no lines": changed(body=LINES[0] + "\n"),
    "no header": changed(body="\n".join(LINES[1:]) + "\n"),
    "no line end": changed(body=RECORD.body.rstrip("\n")),
    "a line too many columns": lines(LINES[1] + ",x"),
    "a forged uuid": lines(LINES[1].replace(LINES[1][:36], LINES[2][:36]), LINES[2]),
    "a line twice": lines(LINES[1], LINES[1]),
    "an unknown currency": forged(3, "XXX"),
    "the wrong scale": forged(2, "100.0"),
    "no amount": forged(2, "0.00"),
    "the wrong sign": forged(2, "-100.00"),
    "an amount that is none": forged(2, "1e5"),
    "no such day": forged(6, "2026-02-30T10:15:30Z"),
    "a type of another stage": forged(4, "withdrawal"),
    # Each of these DynamoDB would refuse, or nobody could read: it must not hold up the shard.
    "an amount beyond all numbers": forged(2, "1" * 60 + ".00"),
    "an amount beyond what any event can say": forged(2, "1" * 20 + ".00"),
    "an operation id that is none": forged(5, "x" * 2000),
    "an operation id with a separator": forged(5, f"{OPERATION_ID}#confirmed"),
    "a balance shop with a separator": forged(9, "bs#other"),
    "a balance shop without name": forged(9, ""),
    "a balance shop of any length": forged(9, "x" * 2000),
    "a reference that is no id": forged(1, "=not a reference"),
    "more lines than an item can hold": large_body(),
    "a cut of no time": data_of(cut_of("2026-11-20T10:20:00Z", SHARD)).replace(b"10:20", b"25:20"),
    "a cut of no shards": data_of(cut_of("2026-11-20T10:20:00Z")),
    "a cut from the future": data_of(cut_of("2026-11-20T12:20:00Z", SHARD)),
    "a cut from the end of time": data_of(cut_of("9999-12-31T23:59:59Z", SHARD)),
    "a cut from the beginning of time": data_of(cut_of("0001-01-01T00:00:00Z", SHARD)),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
def test_a_record_that_is_not_ours_goes_to_quarantine_and_the_rest_is_counted(aws, poison):
    aws.reduce(poison, GOOD)
    [refused] = aws.quarantined()
    assert (refused.code, refused.body) == ("E_RECORD", poison)
    assert refused.key.startswith("stream/date=2026-11-20/")
    assert refused.metadata["received_at"] == "2026-11-20T10:20:01Z"
    assert aws.items("BALANCE") == {
        "BALANCE#bs-5553-eur#EUR": {"confirmed": 10000, "pending": 10000, "operations_count": 1}
    }
    assert len(aws.items("OPERATION")) == 1
    assert aws.as_of() is None


def test_what_the_poison_is_made_of_would_be_counted_if_nothing_were_wrong_with_it(aws):
    """Else the forgeries above would be refused for another reason than they say."""
    aws.reduce(forged(2, "100.00"), data_of(RECORD).replace(b'"part":1', b'"part":1'))
    assert aws.balance()["confirmed"] == 10000
    assert len(aws.quarantined()) == 1  # the second: the same identity, other lines


def test_a_batch_of_nothing_but_poison_is_done(aws):
    aws.reduce(*POISON.values())
    assert sorted(refused.body for refused in aws.quarantined()) == sorted(POISON.values())
    assert aws.items("BALANCE") == {}


def test_a_quarantine_that_cannot_be_reached_holds_the_shard_and_loses_nothing(aws, monkeypatch):
    class NoBucket:
        def put(self, _refused: object) -> None:
            raise TransientError("quarantine: SlowDown")

    with monkeypatch.context() as patch:
        patch.setattr(reducer, "S3Quarantine", lambda *_: NoBucket())
        with pytest.raises(TransientError):
            aws.reduce(b"garbage", GOOD)
    assert aws.quarantined() == []
    reducer._world.cache_clear()
    aws.reduce(b"garbage", GOOD)
    assert aws.balance()["confirmed"] == 10000
    assert [refused.body for refused in aws.quarantined()] == [b"garbage"]
