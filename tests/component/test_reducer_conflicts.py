"""The reducer where transactions are cancelled, meet others or fail half way."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import client
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.past_keys import WINDOW_KEYS, WindowKey
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from lambdas.reducer import handler as reducer
from tests.component.disturbed import DisturbedDynamo
from tests.component.reducing import ONCE, disturb, segment
from tests.component.world import utc


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
    with pytest.raises(TransientError, match="1 of the segments were not counted"):
        aws.reduce(segment(0))
    assert aws.items("BALANCE") == aws.items("OPERATION") == {}
    assert len(dynamodb.sizes) == 6
    dynamodb._conflicts.clear()
    aws.reduce(segment(0))
    assert aws.balance() == ONCE


def test_a_batch_that_failed_half_way_counts_the_rest_when_it_comes_back(aws, monkeypatch):
    batch = [segment(n) for n in range(40)]
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
    assert 0 < aws.balance()["operations_count"] < 40
    monkeypatch.setattr(dynamodb, "transact_write_items", passed)
    aws.reduce(*batch)
    assert aws.balance()["operations_count"] == 40
    assert aws.balance()["confirmed"] == 40 * 10000


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
    windows = {WindowKey.parse(sk).start for _, sk in store.counters if sk.startswith(WINDOW_KEYS)}
    assert windows == {"2026-11-20T10:00:00Z"}
