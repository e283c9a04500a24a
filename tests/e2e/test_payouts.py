"""Everything of every merchant of `olist` is paid out, each request twice, and more is refused."""

import json
from decimal import Decimal

import pytest

from tests.e2e import observed
from tests.e2e.paid_out import DATA, Balance, balances, heard, request, send

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not beside this checkout"),
]


@pytest.fixture(scope="module")
def outcomes(paid):
    observed.drain(paid.target)
    return list(heard(paid.target, paid.outcomes_url))


def test_what_was_available_is_withdrawn_once_and_nothing_is_left_of_it(paid):
    after = {(each["merchant_id"], each["balance_shop_id"]): each for each in balances(paid.stack)}
    assert len(after) == len(paid.before)
    assert paid.payable
    for before in paid.before:
        each = after[before["merchant_id"], before["balance_shop_id"]]
        was = Decimal(before["available"])
        assert Decimal(each["withdrawn"]) == max(was, 0)
        assert Decimal(each["available"]) == min(was, 0)
        assert Decimal(each["blocked"]) == 0


def test_log_balances_and_outcomes_agree_to_the_cent(paid, outcomes):
    logged = {}
    for key, found in observed.log_objects(paid.target, "payout/").items():
        (line,) = found.body.decode().splitlines()[1:]
        _, payout_id, amount, *_ = line.split(",")
        logged[payout_id] = (key.split("/")[1].removeprefix("merchant_id="), Decimal(amount))
    said = {each["payout_id"]: (each["merchant_id"], -Decimal(each["amount"])) for each in outcomes}
    was = {
        f"all-{n}": (each["merchant_id"], -Decimal(each["available"]))
        for n, each in enumerate(paid.payable)
    }
    assert logged == said == was
    assert {each["outcome"] for each in outcomes} == {"accepted"}
    assert len({each["outcome_id"] for each in outcomes}) == len(was)


def test_requests_beyond_it_are_refused_with_what_there_is(paid, outcomes, tmp_path):
    log = observed.log_objects(paid.target)
    short = balances(paid.stack)
    file = tmp_path / "more.jsonl"
    requests = [request(each, f"more-{n}", "0.01") for n, each in enumerate(short)]
    file.write_text("\n".join(json.dumps(each) for each in [*requests, *requests]) + "\n")
    answer = send(paid.stack, "payout", file)
    assert (answer["counted"], answer["refused"]) == (0, 2 * len(requests))
    assert observed.log_objects(paid.target) == log
    observed.drain(paid.target)
    said = {
        each["payout_id"]: (each["outcome"], each["amount"], each["available"])
        for each in heard(paid.target, paid.outcomes_url)
        if each["payout_id"].startswith("more-")
    }
    assert said == {
        f"more-{n}": ("refused", None, each["available"]) for n, each in enumerate(short)
    }
    assert outcomes
    assert [without_time(each) for each in balances(paid.stack)] == [
        without_time(each) for each in short
    ]


def without_time(balance: Balance) -> Balance:
    return {name: value for name, value in balance.items() if name != "as_of"}
