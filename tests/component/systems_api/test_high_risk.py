"""Merchants of high risk: the log is asked before money is set aside."""

import pytest

from falcon_balances.adapters import log_check
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.ports import LogObject
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.domain.table_writes import AddCounters
from inprocess.aws import BALANCES_TABLE, LOG_BUCKET
from lambdas.systems_api import adapters, blocking
from lambdas.systems_api import handler as systems
from tests.builders import confirmed, context_of, data_of, reconciled, record_of
from tests.component.systems_api.requests import BALANCE, NOW, authorize, block, money

WAYS = pytest.mark.parametrize("ask", [block, authorize])


class Risky:
    """A merchant of high risk, whose operations are logged and counted."""

    def __init__(self, world) -> None:
        self.world = world
        self.log = S3TransactionLog(client("s3"), LOG_BUCKET)
        self.store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
        world.load(context_of("other"), context_of(risk="high"))
        adapters.directory.cache_clear()

    def count(self, *operations, is_logged: bool = True) -> None:
        records = [record_of(each) for each in operations]
        for record in records if is_logged else ():
            self.log.append(record.log_key, LogObject(record.body.encode(), {}))
        self.world.reduce(*map(data_of, records))

    def money(self) -> tuple[int, int]:
        return money(self.world)


@pytest.fixture
def risky(aws, monkeypatch) -> Risky:
    monkeypatch.setattr(systems.routes, "now", lambda: NOW)
    monkeypatch.setattr(blocking, "contention_delays", lambda: [0] * blocking.ATTEMPTS)
    risky = Risky(aws)
    risky.count(confirmed(amount="30.00"), reconciled(amount="30.00"))
    return risky


@WAYS
def test_what_is_counted_and_not_logged_is_not_set_aside(risky, ask, capsys):
    forged = {"external_reference": "forged", "amount": "900.00"}
    risky.count(confirmed(**forged), reconciled(**forged), is_logged=False)
    answer = ask(amount="30.01")
    assert answer["body"]["available"] == "30.00"
    assert '"LogMismatch":[2.0' in capsys.readouterr().out.replace(" ", "")
    assert risky.money() == (93000, 0)
    assert block("2", amount="30.00")["statusCode"] == 201


def test_what_is_blocked_counts_against_what_the_log_has(risky):
    risky.count(confirmed(type="refund", external_reference="refund-2", amount="5.00"))
    risky.store.transact([AddCounters(BALANCE, {"available": 5000})])
    assert block("1", amount="20.00")["statusCode"] == 201
    answer = block("2", amount="5.01")
    assert (answer["statusCode"], answer["body"]["available"]) == (409, "5.00")
    assert block("3", amount="5.00")["statusCode"] == 201
    assert risky.money() == (5000, 2500)


def test_the_table_s_own_figure_counts_where_the_log_has_more(risky):
    risky.store.transact([AddCounters(BALANCE, {"available": -1000})])
    answer = block(amount="20.01")
    assert (answer["statusCode"], answer["body"]["available"]) == (409, "20.00")


def test_what_is_counted_between_the_opinion_and_the_block_is_asked_again(risky, monkeypatch):
    transact, counted = DynamoBalanceStore.transact, list[object]()

    def counted_meanwhile(store, writes):
        if not counted:
            counted.append(writes)
            risky.count(confirmed(type="refund", external_reference="refund-2", amount="5.00"))
        return transact(store, writes)

    monkeypatch.setattr(DynamoBalanceStore, "transact", counted_meanwhile)
    assert block(amount="25.00")["statusCode"] == 201
    assert len(counted) == 1


@WAYS
def test_a_balance_that_closing_and_marks_do_not_make_is_not_decided_on(risky, ask):
    """The same request is decided once they do."""
    risky.store.transact([AddCounters(BALANCE, {"adjusted": 1})])
    answer = ask(amount="1.00")
    assert answer["statusCode"] == 503
    assert risky.money() == (3000, 0)
    risky.store.transact([AddCounters(BALANCE, {"adjusted": -1})])
    assert ask(amount="1.00")["statusCode"] == 201


@WAYS
def test_beyond_the_limit_nothing_is_decided_and_the_answer_says_so(risky, monkeypatch, ask):
    monkeypatch.setattr(log_check, "MARKS_MAX", 1)
    answer = ask(amount="1.00")
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "60")
    assert "Nothing was decided: repeat the request" in answer["body"]["detail"]
    assert risky.money() == (3000, 0)
    monkeypatch.setattr(log_check, "MARKS_MAX", 2)
    assert ask(amount="1.00")["statusCode"] == 201


def test_a_block_that_exists_is_found_beyond_the_limit(risky, monkeypatch):
    assert block(amount="1.00")["statusCode"] == 201
    monkeypatch.setattr(log_check, "MARKS_MAX", 1)
    assert block(amount="1.00")["statusCode"] == 200
    assert block(amount="2.00")["statusCode"] == 409
