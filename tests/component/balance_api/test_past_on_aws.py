"""The past on DynamoDB and S3: the same answers as on the fakes."""

from functools import partial

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.domain.blocks import block_writes
from falcon_balances.domain.instants import rfc3339
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE, LOG_BUCKET
from lambdas.balance_api import handler as balance_api
from lambdas.reducer import handler as reducer
from lambdas.reducer.ports import ReducerPorts
from tests.builders import (
    confirmed,
    cut_of,
    data_of,
    record_of,
)
from tests.component.api_calls import MERCHANT, get, pages
from tests.component.balance_api.trading import CONTEXTS, statement_pages, trade
from tests.component.lambda_events import SHARD
from tests.component.ledger import (
    MINUTE,
    Ledger,
)
from tests.component.world import AwsWorld, utc

ASKED: list[tuple[str, dict[str, object]]] = [
    ("/balances", {}),
    ("/balances", {"source": "log"}),
    ("/balances", {"at": "2026-10-12T13:15:00Z"}),
    ("/balances", {"at": "2026-10-12T13:07:11Z", "source": "log"}),
    ("/balances/bs-one/history", {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}),
    ("/operations", {"limit": 200}),
    ("/turnover", {"month": "2026-10"}),
    ("/turnover", {"month": "2026-10", "source": "log", "time_zone": "Asia/Kolkata"}),
    ("/unreconciled", {"limit": 200}),
    ("/statements/2026-10", {}),
    ("/statements/2026-10", {"format": "csv"}),
]


def test_on_dynamodb_and_s3_all_is_answered_as_on_the_fakes(aws, monkeypatch):
    fakes = Ledger(CONTEXTS)
    with monkeypatch.context() as patch:
        fakes.serve(patch)
        trade(fakes)
        operation_id = get("/operations", {"limit": 1}).body["operations"][0]["falcon_operation_id"]
        asked = [*ASKED, (f"/operations/{operation_id}", {})]
        fakes.now += MINUTE
        expected = [get(path, query) for path, query in asked]
        paged = statement_pages("2026-10", 25), pages("/operations", {"limit": 60})
    replay(fakes, aws, monkeypatch)
    for (path, query), answer in zip(asked, expected, strict=True):
        assert answer.status == 200, path
        assert get(path, query) == answer
    # A page's cursors too: they are the same operations' orders.
    assert (statement_pages("2026-10", 25), pages("/operations", {"limit": 60})) == paged


def replay(fakes: Ledger, aws: AwsWorld, patch: pytest.MonkeyPatch) -> None:
    """All that reached the stream and the claims, through the reducer's own handler."""
    clock = {"now": fakes.now}
    patch.setattr(balance_api.routes, "now", lambda: fakes.now)
    patch.setattr(reducer, "ReducerPorts", partial(ReducerPorts, now=lambda: clock["now"]))
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    claims = DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE)
    log = S3TransactionLog(client("s3"), LOG_BUCKET)
    for claim in fakes.claims.claims.values():
        claims.claim(claim)
    for key, logged in fakes.log.objects.items():
        log.append(key, logged)
    for now, records in fakes.batches:
        clock["now"] = now
        aws.reduce(*records, arrived_at=now)
    for held in fakes.store.blocks_of(MERCHANT):
        store.transact(block_writes(held))


def test_however_long_a_shard_is_held_as_of_of_the_operations_does_not_go_back(aws, monkeypatch):
    """Its other shard meets a cut every minute, and none of them is ever complete."""
    counted, now = utc("2026-11-20T10:05:00"), {"now": utc("2026-11-20T10:06:00")}
    monkeypatch.setattr(balance_api.routes, "now", lambda: now["now"] + MINUTE)
    monkeypatch.setattr(reducer, "ReducerPorts", partial(ReducerPorts, now=lambda: now["now"]))
    aws.reduce(data_of(record_of(confirmed())), arrived_at=counted)
    aws.reduce(data_of(cut_of("2026-11-20T10:06:00Z", SHARD)), arrived_at=now["now"])
    for _ in range(60):
        now["now"] += MINUTE
        cut = cut_of(rfc3339(now["now"]), SHARD, "shardId-held")
        aws.reduce(data_of(cut), arrived_at=now["now"])
        for path in ("/balances", "/operations"):
            assert get(path).body["as_of"] == "2026-11-20T10:06:00Z"
