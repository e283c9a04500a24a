"""Every route of the API on the embedded AWS, for merchants with data of all four stages."""

import csv
import json
import time
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest

from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.instants import rfc3339
from tests.e2e import observed, past
from tests.e2e.api_world import (
    BEFORE_THIS_MONTH,
    MANY,
    NAMES,
    NOW,
    PLAIN,
    SHARED_BY,
    SHARED_ID,
    adjustment_id_of,
    adjustment_of,
    operation_of,
    payout_of,
    return_of,
    returned_of,
)
from tests.e2e.asking import Asker

OWN = PLAIN[0]
ROUTES = range(15)
FRESH = {"as_of", "lag_seconds"}


@pytest.fixture(scope="module")
def asker(served):
    """With the token of `OWN`."""
    with Asker(served.target, served.tokens[OWN]) as asker:
        yield asker


def without(document, names):
    return {name: value for name, value in document.items() if name not in names}


def for_merchants(document):
    """Less the fingerprints in stories: they are made of other merchants' amounts too."""
    shown = without(document, FRESH)
    if "stages" in shown:
        shown["stages"] = [without(each, {"fingerprint"}) for each in shown["stages"]]
    return shown


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_answers_merchants_and_systems_alike(served, asker, route):
    assert len(served.routes(OWN)) == len(ROUTES)
    path = served.routes(OWN)[route]
    merchants, systems = asker.ask(path), asker.ask_signed(f"systems/{path}")
    assert (merchants.status, systems.status) == (200, 200), (merchants, systems)
    assert merchants.content_type == systems.content_type
    assert merchants.headers["cache-control"] == "no-store"
    assert merchants.headers["x-request-id"] != systems.headers["x-request-id"]
    if merchants.content_type == "text/csv":
        assert merchants.body == systems.body
        return
    assert merchants.content_type == "application/json"
    assert merchants.document["merchant_id"] == f"m-{OWN}"
    assert merchants.document["as_of"] is not None
    assert merchants.document["lag_seconds"] >= 0
    assert without(merchants.document, FRESH) == for_merchants(systems.document)


@pytest.mark.parametrize("name", PLAIN)
def test_balances_are_what_a_pencil_gives_from_table_and_log_alike(served, name):
    with Asker(served.target, served.tokens[name]) as asker:
        (balance,) = asker.ask(f"merchants/m-{name}/balances").document["balances"]
        log = asker.ask(f"merchants/m-{name}/balances?source=log").document
        at = rfc3339(served.months.this)
        then = asker.ask(f"merchants/m-{name}/balances?at={at}").document
    shop = {"balance_shop_id": f"bs-{name}", "currency": "EUR"}
    assert balance == NOW | shop
    assert (log["balances"], log["source"], log["objects_read"]) == ([balance], "log", 11)
    assert then["balances"] == [BEFORE_THIS_MONTH | shop]
    assert (then["at"], then["by"]) == (at, "counting")


def test_history_begins_where_nothing_was_and_ends_where_the_statement_does(served, asker):
    start, end = served.months.this - timedelta(days=2), served.months.this
    path = f"merchants/m-{OWN}/balances/bs-{OWN}/history?from={rfc3339(start)}&to={rfc3339(end)}"
    (history,) = asker.ask(path).document["balances"]
    steps = history["steps"]
    assert steps
    assert history["opening"] == steps[0]["opening"]
    assert [each["opening"] for each in steps[1:]] == [each["closing"] for each in steps[:-1]]
    assert steps[-1]["closing"] == history["closing"] == BEFORE_THIS_MONTH


def statement(served, asker, month, query=""):
    return asker.ask(f"merchants/m-{OWN}/statements/{month:%Y-%m}{query}")


def test_statements_chain_and_their_lines_add_up(served, asker):
    first = statement(served, asker, served.months.first).document
    last = statement(served, asker, served.months.last).document
    (opened,), (closed,) = first["balances"], last["balances"]
    assert set(opened["opening"].values()) == {"0.00", 0}
    assert opened["closing"] == closed["opening"]
    assert closed["closing"] == BEFORE_THIS_MONTH
    for document, balance in ((first, opened), (last, closed)):
        lines = document["lines"]
        assert document["next_cursor"] is None
        assert lines[-1]["running"] == balance["closing"]
        added = sum(Decimal(each["amount"]) for each in lines)
        stage = lines[0]["stage"]
        assert {each["stage"] for each in lines} == {stage}
        assert added == Decimal(balance["closing"][stage]) - Decimal(balance["opening"][stage])


def test_a_statement_comes_as_csv_with_the_same_lines(served, asker):
    answer = statement(served, asker, served.months.last, "?format=csv")
    document = statement(served, asker, served.months.last).document
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    month = f"{served.months.last:%Y-%m}"
    disposition = answer.headers["content-disposition"]
    assert disposition == f'attachment; filename="statement-m-{OWN}-{month}.csv"'
    opening, *lines, closing = csv.DictReader(StringIO(answer.body.decode()))
    assert (opening["row"], closing["row"]) == ("opening", "closing")
    assert [each["uuid"] for each in lines] == [each["uuid"] for each in document["lines"]]
    for row, line in zip(lines, document["lines"], strict=True):
        assert row["amount"] == line["amount"]
        assert row["available_before_blocks"] == line["running"]["available_before_blocks"]


def test_a_months_statement_in_pages_is_the_whole_one(served, asker):
    path = f"merchants/m-{OWN}/statements/{served.months.first:%Y-%m}"
    whole = asker.ask(path).document
    pages = list(asker.pages(f"{path}?limit=1"))
    assert len(pages) == 4
    assert [line for page in pages for line in page["lines"]] == whole["lines"]
    assert {json.dumps(page["balances"]) for page in pages} == {json.dumps(whole["balances"])}


def test_what_is_not_closed_yet_says_until_when_it_is(served, asker):
    as_of = asker.ask(f"merchants/m-{OWN}/balances").document["as_of"]
    for path in (
        f"merchants/m-{OWN}/statements/{served.months.this:%Y-%m}",
        f"merchants/m-{OWN}/statements/2999-01",
        f"merchants/m-{OWN}/balances?at=2999-01-01T00:00:00Z",
        f"merchants/m-{OWN}/balances/bs-{OWN}/history?to=2999-01-01T00:00:00Z",
    ):
        answer = asker.ask(path)
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
        assert answer.document["type"] == "urn:falcon:balances:problem:period-not-closed"
        assert answer.document["closed_until"] <= as_of


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
def test_operations_are_paged_to_the_end_without_gaps_or_repeats(served, order):
    name = NAMES[0]
    with Asker(served.target, served.tokens[name]) as asker:
        path = f"merchants/m-{name}/operations?order={order}"
        pages = list(asker.pages(f"{path}&limit=7"))
        (whole,) = asker.pages(f"{path}&limit=200")
    listed = [each for page in pages for each in page["operations"]]
    assert listed == whole["operations"]
    logged = observed.log_objects(served.target)
    keys = [each["log_key"] for each in listed]
    assert sorted(keys) == sorted(key for key in logged if f"/merchant_id=m-{name}/" in key)
    assert len(keys) == 11 + MANY + 1
    counted_in = [each["counted_in"] for each in listed]
    assert counted_in == sorted(counted_in, reverse=order == "newest_first")
    assert [len(page["operations"]) for page in pages[:-1]] == [7] * (len(pages) - 1)


@pytest.mark.parametrize(
    ("query", "references"),
    [
        ("stage=adjustment", ["adj"]),
        ("type=refund", ["back"]),
        ("type=withdrawal_reversal", ["sent-back"]),
        ("stage=reconciled&psp_id=api-psp&order=oldest_first", None),
        ("psp_id=another", []),
    ],
)
def test_operations_are_filtered(asker, query, references):
    (page,) = asker.pages(f"merchants/m-{OWN}/operations?{query}")
    found = [each["external_reference"] for each in page["operations"]]
    if references is None:
        assert sorted(found) == [f"{OWN}-alone", f"{OWN}-cap-0", f"{OWN}-cap-1"]
    else:
        assert found == [f"{OWN}-{each}" for each in references]


def story(asker, operation_id, name=OWN):
    answer = asker.ask(f"merchants/m-{name}/operations/{operation_id}")
    assert answer.status == 200, answer
    return answer.document


def test_an_operations_story_has_its_stages_and_its_correction(served, asker):
    told = story(asker, operation_of(OWN))
    assert [each["stage"] for each in told["stages"]] == ["confirmed", "reconciled"]
    assert told["corrected_by"] == [adjustment_id_of(OWN)]
    assert [line["amount"] for line in told["stages"][0]["lines"]] == ["100.00", "-2.00"]
    months = [each["counted_in"][:7] for each in told["stages"]]
    assert months == [f"{each:%Y-%m}" for each in (served.months.first, served.months.last)]
    logged = observed.log_objects(served.target)
    assert {each["log_key"] for each in told["stages"]} <= set(logged)
    (correction,) = story(asker, adjustment_id_of(OWN))["stages"]
    assert correction["corrects"] == adjustment_of(OWN)["corrects"]


def test_a_payouts_story_has_its_block_and_its_return(asker):
    told = story(asker, payout_of(OWN))
    assert (told["blocks"][0]["status"], told["blocks"][0]["amount"]) == ("settled", "20.00")
    assert told["returned_by"] == [returned_of(OWN)]
    assert told["stages"][0]["state"] == "paid"
    back = story(asker, returned_of(OWN))
    assert (back["returns"], back["external_reference"]) == (
        payout_of(OWN),
        return_of(OWN)["payout_id"],
    )


def test_an_operation_of_several_merchants_shows_each_its_own_lines(served):
    amounts = {}
    for name in SHARED_BY:
        with Asker(served.target, served.tokens[name]) as asker:
            (stage,) = story(asker, SHARED_ID, name)["stages"]
        assert {line["balance_shop_id"] for line in stage["lines"]} == {f"bs-{name}"}
        amounts[name] = [line["amount"] for line in stage["lines"]]
    assert list(amounts.values()) == [["1.00"], ["12.00", "-0.24", "-1.00"], ["8.00", "-0.16"]]
    with Asker(served.target, served.tokens[OWN]) as asker:
        assert asker.ask(f"merchants/m-{OWN}/operations/{SHARED_ID}").status == 404


@pytest.mark.parametrize("more", ["", "&source=log"])
def test_turnover_adds_up_a_month_of_operation_dates(asker, more):
    said = asker.ask(f"merchants/m-{OWN}/turnover?month=2026-03{more}").document
    (euros,) = said["currencies"]
    sums = {(each["stage"], each["type"]): each["amount"] for each in euros["sums"]}
    assert sums == {
        ("confirmed", "capture"): "600.00",
        ("confirmed", "psp_fee"): "-12.00",
        ("confirmed", "refund"): "-10.00",
        ("reconciled", "capture"): "340.00",
        ("reconciled", "psp_fee"): "-6.80",
        ("payout", "withdrawal"): "-50.00",
        ("payout", "withdrawal_reversal"): "20.00",
        ("adjustment", "adjustment"): "5.00",
    }
    assert euros["operations_count"] == NOW["operations_count"]
    if more:
        assert (said["objects_read"], said["late_operations"]) == (11, None)
    else:  # all of it was counted months later
        assert euros["late_sums"] == euros["sums"]
        assert len(said["late_operations"]) == 11


def test_what_awaits_reconciliation_is_listed_with_its_standing(asker):
    path = f"merchants/m-{OWN}/unreconciled"
    pages = list(asker.pages(f"{path}?limit=1"))
    found = {
        each["external_reference"].removeprefix(f"{OWN}-"): each["standing"]
        for page in pages
        for each in page["operations"]
    }
    assert found == {
        "cap-1": "different",
        "cap-2": "confirmed_only",
        "back": "confirmed_only",
        "alone": "reconciled_only",
    }
    assert len(pages) == 4
    sums = {each["standing"]: (each["confirmed"], each["reconciled"]) for each in pages[0]["sums"]}
    assert sums == {
        "confirmed_only": ("284.00", "0.00"),
        "different": ("196.00", "186.20"),
        "reconciled_only": ("0.00", "49.00"),
    }
    (young,) = asker.pages(f"{path}?older_than_days=3650")
    assert young["operations"] == []


# Manners


def test_a_known_balance_is_answered_304_until_something_moves(served, asker):
    path = f"merchants/m-{OWN}/balances"
    known = asker.ask(path)
    tag = known.headers["etag"]
    for said in (tag, "*", f'"other", {tag}'):
        same = asker.ask(path, headers={"If-None-Match": said})
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    assert asker.ask(path, headers={"If-None-Match": '"other"'}).status == 200
    observed.pass_a_cut(served.target)
    moved = asker.ask(path, headers={"If-None-Match": tag})
    assert moved.status == 200
    assert moved.document["as_of"] > known.document["as_of"]


@pytest.mark.parametrize("route", ROUTES)
def test_head_is_get_without_a_body(served, asker, route):
    path = served.routes(OWN)[route]
    get, head = asker.ask(path), asker.ask(path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "cache-control", "etag", "link"):
        assert head.headers.get(name) == get.headers.get(name)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_reads_take_no_other_method_and_say_so(served, asker, method):
    for path in served.routes(OWN):
        answer = asker.ask(path, method)
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("balances", 404),
        ("merchants", 404),
        ("merchants/m-api-d", 404),
        ("merchants/m-api-d/balance", 404),
        ("merchants/m-api-d/balances/bs-api-d/history/more", 404),
        ("merchants/m-api-d/blocks", 404),
        ("merchants/m-api-d/balances/bs-nothing", 404),
        ("merchants/m-api-d/operations/nothing", 404),
        ("merchants/m-api-d/operations/00000000-0000-5000-8000-000000000000", 404),
        ("merchants/m-api-d/statements/2026-13", 404),
        ("merchants/m-api-d/statements/now", 404),
        ("merchants/m-api-d/balances?shop=1", 422),
        ("merchants/m-api-d/balances?source=moon", 422),
        ("merchants/m-api-d/balances?source=log&source=table", 422),
        ("merchants/m-api-d/balances?at=yesterday", 422),
        ("merchants/m-api-d/balances?at=2026-11-01T00:07:00Z", 422),
        ("merchants/m-api-d/operations?limit=0", 422),
        ("merchants/m-api-d/operations?limit=201", 422),
        ("merchants/m-api-d/operations?cursor=AAAA", 422),
        ("merchants/m-api-d/operations?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", 422),
        ("merchants/m-api-d/turnover", 422),
        ("merchants/m-api-d/turnover?month=2026-00", 422),
        ("merchants/m-api-d/turnover?month=2026-03&time_zone=Asia/Tokyo", 422),
        ("merchants/m-api-d/unreconciled?older_than_days=-1", 422),
        # Encoded slashes are slashes to the gateway, which decodes the path first.
        ("merchants/m-api-d%2Fbalances%2Fmore%2Fand%2Fmore", 404),
        ("merchants/m-api-d/operations/%2e%2e%2f%2e%2e", 404),
        ("merchants/m-api-d/balances/%00", 404),
        ("merchants/m-api-d/balances/%F0%9F%92%B6", 404),
        ("merchants/m-api-d/balances/%ff", 404),
        (f"merchants/m-api-d/balances/{'x' * 8192}", 413),
        (f"merchants/{'x' * 8192}/balances", 413),
        (f"merchants/m-api-d/operations?cursor={'A' * 8192}", 413),
        (f"merchants/m-api-d/balances?{'x' * 8192}", 413),
    ],
)
def test_what_is_unknown_invalid_or_too_long_is_a_problem(asker, path, status):
    answer = asker.ask(path)
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), answer
    assert answer.document["status"] == status
    assert answer.document["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.body.decode()


def test_outside_of_its_routes_the_gateway_answers_in_its_own_shape(asker):
    answer = asker.ask("")
    assert (answer.status, answer.document) == (404, {"message": "Not Found"})


def test_values_of_8_kib_in_a_header_do_no_harm(asker):
    for name in ("If-None-Match", "X-Forwarded-For", "Accept-Language", "Cookie"):
        answer = asker.ask(f"merchants/m-{OWN}/balances", headers={name: "x" * 8192})
        assert answer.status < 500


def test_a_cursor_is_of_its_merchant_route_and_query(served, asker):
    other = NAMES[0]
    with Asker(served.target, served.tokens[other]) as another:
        theirs = another.ask(f"merchants/m-{other}/operations?limit=1").document["next_cursor"]
    own = asker.ask(f"merchants/m-{OWN}/operations?limit=1").document["next_cursor"]
    path = f"merchants/m-{OWN}/operations?limit=1"
    assert asker.ask(f"{path}&cursor={own}").status == 200
    for cursor in (theirs, own[:-1], f"{own}A", own[::-1], own.swapcase()):
        assert asker.ask(f"{path}&cursor={cursor}").status == 422
    assert asker.ask(f"{path}&stage=confirmed&cursor={own}").status == 422
    assert asker.ask(f"merchants/m-{OWN}/unreconciled?limit=1&cursor={own}").status == 422


# Freshness


def freshness(asker):
    answer = asker.ask_signed("systems/freshness")
    assert answer.status == 200, answer
    return answer.document


def test_systems_see_how_far_the_balances_are_and_what_waits(served, asker):
    said = freshness(asker)
    assert said["as_of"] is not None
    assert [each["stage"] for each in said["queues"]] == [
        "confirmed",
        "reconciled",
        "payout",
        "adjustment",
    ]


def test_the_age_of_the_oldest_message_is_what_cloudwatch_says(served, asker):
    """The emulator's SQS tells CloudWatch nothing, so the test says it instead."""
    target = served.target
    name = "falcon-balances-local-adjustment"
    lambdas = target.client("lambda")
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=f"{name}-dispatcher")[
        "EventSourceMappings"
    ]
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        observed.send(target, "adjustment", [json.dumps(adjustment_of(OWN))])
        url = target.queues["adjustment"].url
        observed.wait_until(lambda: observed.in_queue(target, url) == 1, what="a message waits")
        assert queue_of(freshness(asker), "adjustment")["oldest_message_seconds"] is None
        target.client("cloudwatch").put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": name}],
                    "Value": 77.0,
                }
            ],
        )
        said = freshness(asker)
    finally:
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    waiting = queue_of(said, "adjustment")
    assert (waiting["messages"], waiting["oldest_message_seconds"]) == (1, 77)
    assert said["oldest_message_seconds"] == 77
    observed.drain(target)
    assert queue_of(freshness(asker), "adjustment")["messages"] == 0


def queue_of(said, stage):
    return next(each for each in said["queues"] if each["stage"] == stage)


def test_while_the_reducer_is_held_as_of_stands_still_and_every_answer_says_so(served, asker):
    """Then it catches up, and never goes back."""
    target, path = served.target, f"merchants/m-{OWN}/balances"
    known = rfc3339(observed.pass_a_cut(target))
    seen, lags = [], []

    def look():
        answer = asker.ask(path)
        assert answer.status == 200
        said = answer.document
        seen.append(said["as_of"])
        return said

    with past.held_reducer(target):
        time.sleep(1.0)  # a batch that was under way
        before = look()
        assert before["as_of"] >= known
        observed.send(target, "adjustment", [json.dumps(late := held_back())])
        observed.wait_until(lambda: observed.in_flight(target) == 0, what="the late one on stream")
        for _ in range(4):
            observed.cut(target)
            time.sleep(1.0)
            said = look()
            lags.append(said["lag_seconds"])
            assert said["balances"] == before["balances"]
            assert freshness(asker)["as_of"] == before["as_of"]
            operations = asker.ask(f"merchants/m-{OWN}/operations?limit=1").document
            assert operations["as_of"] is None or operations["as_of"] <= before["as_of"]
            assert story(asker, uuid_of(late))["stages"][0]["counted_in"] is None
    assert set(seen) == {before["as_of"]}
    assert lags == sorted(lags)
    assert lags[-1] >= lags[0] + 3

    observed.wait_until(lambda: look()["as_of"] > before["as_of"], what="as_of moves")
    observed.pass_a_cut(target)
    after = look()
    assert seen == sorted(seen)
    (balance,) = after["balances"]
    assert balance["adjusted"] == "5.01"
    assert story(asker, uuid_of(late))["stages"][0]["counted_in"] is not None


def held_back():
    return adjustment_of(OWN) | {"adjustment_id": f"{OWN}-late", "amount": "0.01"}


def uuid_of(adjustment):
    return uuid5_text(f"adjustment|{adjustment['adjustment_id']}")
