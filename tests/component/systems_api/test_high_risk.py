"""Merchants of high risk: the log is asked before money is set aside."""

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.ports import LogObject
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.domain.table_writes import AddCounters
from inprocess.aws import LOG_BUCKET
from lambdas.systems_api import adapters
from tests.builders import (
    confirmed,
    context_of,
    reconciled,
    record_of,
)
from tests.component.systems_api.requests import BALANCE, authorize, block, money


def high_risk(world, store, *operations) -> None:
    """100.00 in the table; in the log, what these operations say."""
    world.load(context_of("other"), context_of(risk="high"))
    for operation in operations:
        record = record_of(operation)
        log = S3TransactionLog(client("s3"), LOG_BUCKET)
        log.append(record.log_key, LogObject(record.body.encode(), {}))
    adapters.directory.cache_clear()


@pytest.mark.parametrize("ask", [block, authorize])
def test_where_the_risk_is_high_the_log_must_have_the_money_too(world, store, ask):
    high_risk(world, store)
    answer = ask(amount="0.01")
    assert answer["body"]["available"] == "0.00"
    assert money(world) == (10000, 0)


def test_what_is_blocked_counts_against_what_the_log_has(world, store):
    high_risk(
        world,
        store,
        confirmed(amount="30.00"),
        reconciled(amount="30.00"),
        confirmed(type="refund", amount="5.00"),
    )
    logged = 2500
    assert block("1", amount="20.00")["statusCode"] == 201
    answer = block("2", amount="5.01")
    assert (answer["statusCode"], answer["body"]["available"]) == (409, "5.00")
    assert block("3", amount="5.00")["statusCode"] == 201
    assert money(world) == (10000 - logged, logged)


def test_the_table_s_own_figure_counts_where_the_log_has_more(world, store):
    high_risk(world, store, confirmed(amount="900.00"), reconciled(amount="900.00"))
    answer = block(amount="100.01")
    assert (answer["statusCode"], answer["body"]["available"]) == (409, "100.00")


def test_a_log_read_before_something_was_counted_is_read_again(fake, world, store):
    """Between the two a payout is logged, counted and its block ended: the old fold knew more."""
    high_risk(world, store, confirmed(), reconciled())
    fake.transact([AddCounters(BALANCE, {"operations_count": 2})])
    folds = []

    def counted_meanwhile(point: str) -> None:
        if point == "before MemoryBalanceStore.balances":
            folds.append(point)
        if point == "before MemoryBalanceStore.transact" and len(folds) == 1:
            fake.counters[BALANCE]["operations_count"] += 1

    fake.interrupt = counted_meanwhile
    assert block(amount="99.00")["statusCode"] == 201
    assert len(folds) == 2
