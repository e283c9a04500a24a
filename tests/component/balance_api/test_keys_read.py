"""Every key that is read in DynamoDB and S3 begins with the merchant that may be read."""

import re
from dataclasses import replace
from typing import Final

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import LogObject
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.cursors import Cursors
from falcon_balances.domain.identity import payout_return_id
from falcon_balances.domain.merged_marks import index_partitions
from falcon_balances.domain.operations import Stage
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE, LOG_BUCKET
from lambdas.balance_api import handler as balance_api
from lambdas.systems_api import handler as systems
from tests.builders import (
    Document,
    confirmed,
    context_of,
    cut_of,
    data_of,
    marketplace,
    reconciled,
    records_of,
    shop,
)
from tests.component.api_calls import (
    NOT_FOUND,
    REQUEST_ID,
    Query,
    get,
    http_event,
    iam,
    send,
    token_of,
)
from tests.component.balance_api.crowd import METHODS, READS, capture_of, path_of, query_of
from tests.component.lambda_events import SHARD
from tests.component.ledger import adjustment, any_claim_of, id_of, payout, payout_return
from tests.component.spying import Asked, Key, asked_of_aws
from tests.component.world import CURSOR_SEAL, utc

# One id is the beginning of the next, so that a prefix that is too short would be seen.
NEIGHBOURS: Final = ["m-5", "m-55", "m-5553"]
NEIGHBOUR_CONTEXTS: Final = tuple(
    context_of(merchant_id.removeprefix("m-"), merchant_id=merchant_id)
    for merchant_id in NEIGHBOURS
)
SALE: Final = marketplace(
    [("5", "60.00", None), ("55", "40.00", None)],
    "100.00",
    external_reference="sale",
    operation_date="2026-10-31T23:40:00Z",
    **shop("5"),
)


def documents_of(merchant_id: str) -> list[Document]:
    local = merchant_id.removeprefix("m-")
    direct = {"merchant_id": merchant_id, "balance_shop_id": f"bs-{local}-eur"}
    capture = capture_of(local)
    return [
        capture,
        capture_of(local, external_reference=f"alone-{local}"),
        reconciled(**capture | {"reconciled_date": "2026-10-31T23:41:00Z", "bank_reference": "b"}),
        payout(payout_id=f"payout-{local}", requested_at="2026-10-31T23:42:00Z", **direct),
        payout_return(payout_id=f"payout-{local}", returned_at="2026-10-31T23:43:00Z", **direct),
        adjustment(
            adjustment_id=f"a-{local}",
            adjusted_at="2026-10-31T23:44:00Z",
            corrects=id_of(capture, *NEIGHBOUR_CONTEXTS),
            **direct,
        ),
    ]


@pytest.fixture
def neighbours(aws, monkeypatch):
    """Three merchants on moto: claimed, logged and counted in October, which is closed."""
    claims = DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE)
    log = S3TransactionLog(client("s3"), LOG_BUCKET)
    records = []
    for document in [SALE, *(each for m in NEIGHBOURS for each in documents_of(m))]:
        claim = any_claim_of(document, *NEIGHBOUR_CONTEXTS)
        claims.claim(claim)
        for segment in claim.segments:
            log.append(segment.log_key, LogObject(claim.body_of(segment).encode(), {}))
        records += [data_of(record) for record in records_of(claim)]
    aws.reduce(*records, arrived_at=utc("2026-10-31T23:50:00"))
    now = utc("2026-11-01T00:00:10")
    aws.reduce(data_of(cut_of("2026-11-01T00:00:10Z", SHARD)), arrived_at=now)
    for routes in (balance_api.routes, systems.routes):
        monkeypatch.setattr(routes, "now", lambda: now)
    with asked_of_aws() as asked:
        yield asked


def belongs(key: Key, merchant_id: str, operations: set[str]) -> bool:
    """Whether a key lies in what this merchant may be read of."""
    values = {name: set(said) for name, said in key.values.items()}
    pk, own = values.get("pk"), {f"MERCHANT#{merchant_id}"}
    if key.where == LOG_BUCKET:
        names = [name.partition("/") for said in values.values() for name in said]
        return all(
            rest.startswith(f"merchant_id={merchant_id}/") and stage in set(Stage)
            for stage, _, rest in names
        )
    if key.where == CLAIMS_TABLE:
        return values.keys() == {"falcon_operation_id"} and (
            values["falcon_operation_id"] <= operations
        )
    if key.where == "by-window":
        return values["spread"] <= set(index_partitions(merchant_id)) and pk in (None, own)
    if key.where == "by-open":
        return values["open"] == own and pk in (None, own)
    if pk == {"STREAM"}:
        return all(sk in {"AS_OF", "CLOSED_DAY"} or sk.startswith("CUT#") for sk in values["sk"])
    return key.where == BALANCES_TABLE and pk == own


def reads_of(merchant_id: str) -> list[tuple[str, Query]]:
    local = merchant_id.removeprefix("m-")
    operation = id_of(documents_of(merchant_id)[0], *NEIGHBOUR_CONTEXTS)
    shops = f"/balances/bs-{local}-eur"
    first = get("/operations", "limit=1", merchant_id=merchant_id).body["next_cursor"]
    return [
        ("/balances", {}),
        ("/balances", {"source": "log"}),
        ("/balances", {"at": "2026-11-01T00:00:00Z"}),
        ("/balances", {"at": "2026-10-31T23:43:30Z", "source": "log"}),
        (shops, {}),
        (f"{shops}/history", {}),
        ("/operations", {"limit": 2}),
        ("/operations", {"cursor": first, "order": "newest_first"}),
        ("/operations", {"stage": "reconciled", "order": "oldest_first"}),
        (f"/operations/{operation}", {}),
        (f"/operations/{id_of(documents_of(merchant_id)[3])}", {}),
        ("/turnover", {"month": "2026-10"}),
        ("/turnover", {"month": "2026-10", "source": "log", "time_zone": "Asia/Tokyo"}),
        ("/statements/2026-10", {}),
        ("/statements/2026-10", {"format": "csv", "limit": 1}),
        ("/unreconciled", {}),
    ]


@pytest.mark.parametrize("merchant_id", NEIGHBOURS)
def test_every_key_that_is_read_begins_with_the_merchant_of_the_token(neighbours, merchant_id):
    local = merchant_id.removeprefix("m-")
    operations = {id_of(each, *NEIGHBOUR_CONTEXTS) for each in documents_of(merchant_id)}
    seen = Asked()
    for path, query in reads_of(merchant_id):
        neighbours.clear()
        answer = get(path, query, merchant_id=merchant_id)
        assert answer.status == 200, path
        assert len(neighbours.keys) >= len(neighbours.calls) > 0
        assert set(neighbours.calls) <= READS | {"s3:GetObject", "s3:ListObjectsV2"}
        for key in neighbours.keys:
            assert belongs(key, merchant_id, operations), (path, key)
        for other in set(NEIGHBOURS) - {merchant_id}:
            assert f'"{other}"' not in answer.text
            assert f"-{other.removeprefix('m-')}-eur" not in answer.text
            assert f'order-{other.removeprefix("m-")}"' not in answer.text
        seen.calls += neighbours.calls
        seen.keys += neighbours.keys
    assert set(seen.calls) == READS | {"s3:GetObject", "s3:ListObjectsV2"}
    assert {key.where for key in seen.keys} == {
        BALANCES_TABLE,
        CLAIMS_TABLE,
        LOG_BUCKET,
        "by-open",
        "by-window",
    }
    assert payout_return_id(f"m-{local}", f"payout-{local}") in operations


def test_for_a_path_that_names_another_merchant_aws_is_not_asked_at_all(neighbours):
    """So it takes no longer for one that is there than for one that is not."""
    asked = {m: [(path, query) for path, query in reads_of(m)] for m in NEIGHBOURS}
    neighbours.clear()
    for principal in NEIGHBOURS:
        for target in {*NEIGHBOURS, "m-nobody"} - {principal}:
            for path, query in asked.get(target, asked["m-5"]):
                event = http_event(
                    "GET", f"/v1/merchants/{target}{path}", query, token_of(principal)
                )
                answer = send(balance_api, event)
                assert (answer.status, answer.body) == (404, NOT_FOUND)
    assert (neighbours.calls, neighbours.keys) == ([], [])


@pytest.mark.parametrize("merchant_id", NEIGHBOURS)
def test_another_merchant_s_operation_is_not_found_as_one_that_nobody_knows(
    neighbours, merchant_id
):
    """Its claim is read by an id that anybody can work out, and used only where it names them."""
    nobodys = id_of(confirmed(external_reference="never"))
    neighbours.clear()
    unknown = get(f"/operations/{nobodys}", merchant_id=merchant_id)
    calls = list(neighbours.calls)
    assert unknown.body == NOT_FOUND
    for other in set(NEIGHBOURS) - {merchant_id}:
        for document in documents_of(other):
            neighbours.clear()
            operation_id = id_of(document, *NEIGHBOUR_CONTEXTS)
            assert get(f"/operations/{operation_id}", merchant_id=merchant_id) == unknown
            assert neighbours.calls == calls
            assert get(f"/operations/{operation_id}", merchant_id=other).status == 200


def test_of_an_operation_that_touches_several_merchants_each_reads_its_own_part(neighbours):
    operation_id = id_of(SALE, *NEIGHBOUR_CONTEXTS)
    for merchant_id, amount in (("m-5", "60.00"), ("m-55", "40.00")):
        neighbours.clear()
        answer = get(f"/operations/{operation_id}", merchant_id=merchant_id)
        [line] = answer.body["stages"][0]["lines"]
        assert line["amount"] == amount
        assert f"merchant_id={merchant_id}/" in answer.body["stages"][0]["log_key"]
        assert all(belongs(key, merchant_id, {operation_id}) for key in neighbours.keys)
    assert get(f"/operations/{operation_id}", merchant_id="m-5553").body == NOT_FOUND


def test_a_cursor_that_names_another_s_operation_reaches_only_the_own(neighbours):
    """Even under the right key: it becomes a key, in the own partition."""
    theirs = get("/operations", "limit=1", merchant_id="m-55").body["operations"][0]
    order = (
        f"{theirs['counted_in']}#{theirs['operation_date']}"
        f"#{theirs['falcon_operation_id']}#{theirs['stage']}"
    )
    for path, bound in (
        ("/operations", {"order": "newest_first"}),
        ("/statements/2026-10", {"format": "json"}),
    ):
        made = Cursors(CURSOR_SEAL, path[1:], "m-5553", bound).write(order)
        neighbours.clear()
        answer = get(path, {"cursor": made}, merchant_id="m-5553")
        # Figures that it does not have do not add up to the quarter's.
        assert answer.status == (200 if path == "/operations" else 503)
        assert neighbours.keys
        assert all(belongs(key, "m-5553", set()) for key in neighbours.keys)
        assert theirs["falcon_operation_id"] not in answer.text


def test_the_spy_sees_what_it_is_there_to_see(neighbours):
    """Each kind of key, once with another merchant's name in it."""
    assert get(merchant_id="m-55").status == 200
    keys = list(neighbours.keys)
    assert [belongs(key, "m-55", set()) for key in keys] == [True, True]
    assert [belongs(key, "m-5", set()) for key in keys] == [True, False]
    for path, query in reads_of("m-55"):
        neighbours.clear()
        get(path, query, merchant_id="m-55")
        foreign = [key for key in neighbours.keys if not belongs(key, "m-5", set())]
        assert foreign, path


@pytest.mark.parametrize("authorizer", [None, token_of("m-5553")], ids=["nobody", "a merchant"])
def test_systems_routes_without_iam_ask_nothing_of_aws(neighbours, authorizer):
    for route in systems.api.routes:
        for method in METHODS:
            path = path_of(route, "m-5553", "5553")
            answer = send(systems, http_event(method, path, query_of(path), authorizer))
            assert answer.status in {404, 405, 204}
            assert answer.headers["X-Request-Id"] == REQUEST_ID
    assert neighbours.calls == []


FINGERPRINT = re.compile(r'"fingerprint":"[0-9a-f]{64}",')


def test_systems_read_the_merchant_that_the_path_names_and_no_other(neighbours):
    for merchant_id in NEIGHBOURS:
        operations = {id_of(each, *NEIGHBOUR_CONTEXTS) for each in documents_of(merchant_id)}
        for path, query in reads_of(merchant_id):
            neighbours.clear()
            event = http_event("GET", f"/v1/systems/merchants/{merchant_id}{path}", query, iam())
            told = send(systems, event)
            # Only systems see fingerprints.
            text = FINGERPRINT.sub("", told.text)
            assert replace(told, text=text) == get(path, query, merchant_id=merchant_id)
            assert all(belongs(key, merchant_id, operations) for key in neighbours.keys)
