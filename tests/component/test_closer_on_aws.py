"""The closer's own handler, on DynamoDB and S3 as moto plays them."""

from types import SimpleNamespace
from typing import Any

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_items import item_key
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.adapters.merchant_past import DynamoPastReads
from falcon_balances.adapters.ports import LogObject
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.domain.closings import ClosedDay
from falcon_balances.domain.history import Figures
from falcon_balances.domain.past_keys import CLOSED_DAY_KEY, ClosingKey
from falcon_balances.domain.table_keys import BalanceKey
from inprocess.aws import BALANCES_TABLE, LOG_BUCKET
from lambdas.closer import handler as closer
from tests.builders import confirmed, context_of, cut_of, data_of, reconciled, record_of
from tests.component.lambda_events import SHARD
from tests.component.world import utc

BALANCE = BalanceKey("bs-5553-eur", "EUR")
FIGURES = Figures(confirmed=10000, pending=10000, operations_count=1)


def run(remaining_ms: int = 800_000) -> None:
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: remaining_ms)
    closer.lambda_handler({}, context)


@pytest.fixture
def counted(aws):
    """On two days, the second of which is not over."""
    for n, day in ((1, "20"), (2, "21")):
        record = record_of(confirmed(external_reference=f"order-{n}"))
        aws.reduce(data_of(record), arrived_at=utc(f"2026-11-{day}T10:05:00"))
    cut = data_of(cut_of("2026-11-21T10:06:00Z", SHARD))
    aws.reduce(cut, arrived_at=utc("2026-11-21T10:06:00"))
    return aws


def closed_day():
    return DynamoClosings(client("dynamodb"), BALANCES_TABLE).closed_day()


def test_each_balance_that_moved_has_its_closing_and_then_the_day_is_closed(counted):
    run()
    [(sk, item)] = counted.items("CLOSING").items()
    assert ClosingKey.parse(sk) == ClosingKey(BALANCE, "2026-11-20")
    assert Figures(**item) == FIGURES
    assert closed_day().day == "2026-11-20"
    assert SHARD in closed_day().journal
    run()
    assert len(counted.items("CLOSING")) == 1


def test_of_a_merchant_of_high_risk_a_closing_says_what_the_log_has(counted):
    """Of two operations that are counted in both stages, one is in the log."""
    counted.load(context_of(risk="high"))
    log = S3TransactionLog(client("s3"), LOG_BUCKET)
    for name in ("order-1", "forged"):
        for event in (confirmed, reconciled):
            record = record_of(event(external_reference=name))
            counted.reduce(data_of(record), arrived_at=utc("2026-11-21T10:07:00"))
            if name == "order-1":
                log.append(record.log_key, LogObject(record.body.encode(), {}))
    counted.reduce(
        data_of(cut_of("2026-11-22T00:06:00Z", SHARD)), arrived_at=utc("2026-11-22T00:06:00")
    )
    run()
    *_, last = counted.items("CLOSING").values()
    assert (last["available_before_blocks"], last["logged"]) == (20000, 10000)


def test_readers_of_statements_do_not_read_how_far_the_journals_were_read(counted):
    run()
    found = client("dynamodb").get_item(TableName=BALANCES_TABLE, Key=item_key(CLOSED_DAY_KEY))
    assert found["Item"] == item_key(CLOSED_DAY_KEY) | {"day": {"S": "2026-11-20"}}


def test_a_run_that_ended_before_it_told_the_day_is_made_up_for_by_the_next_day(counted):
    run()
    client("dynamodb").delete_item(TableName=BALANCES_TABLE, Key=item_key(CLOSED_DAY_KEY))
    reads = DynamoPastReads(client("dynamodb"), BALANCES_TABLE, "m-5553")
    assert reads.progress()[1] == ClosedDay(None)
    cut = data_of(cut_of("2026-11-22T00:06:00Z", SHARD))
    counted.reduce(cut, arrived_at=utc("2026-11-22T00:06:00"))
    run()
    assert reads.progress()[1] == ClosedDay("2026-11-21")


def test_a_run_without_time_notes_where_it_stopped_and_closes_nothing(counted):
    run(remaining_ms=59_999)
    assert counted.items("CLOSING") == {}
    assert closed_day().day is None


def test_before_anything_was_counted_there_is_nothing_to_close(aws):
    run()
    assert closed_day().day is None
