"""A merchant of high risk on the embedded AWS, with as much since its last closing as is read."""

import json
from time import monotonic

import pytest

from falcon_balances.adapters.log_check import MARKS_MAX
from tests.e2e import observed
from tests.e2e.events import confirmed, context, jsonl, reconciled
from tests.e2e.test_blocks import ask, by_hand

PSP = "limit-psp"
MERCHANT = "m-limit"
SECONDS_MAX = 6  # two, on a machine that does nothing else


@pytest.fixture(scope="module")
def at_the_limit(stack, falcon, tmp_path_factory):
    """1.00 EUR available by each of so many operations, in both stages."""
    file = jsonl(tmp_path_factory.mktemp("limit") / "m.jsonl", [context(PSP, "limit", risk="high")])
    loaded = falcon("merchants", "load", file)
    assert loaded.returncode == 0, loaded.stderr
    events = [confirmed(PSP, f"o-{n}", "limit", "1.00") for n in range(MARKS_MAX // 2)]
    observed.send(stack, "confirmed", [json.dumps(event) for event in events])
    observed.send(stack, "reconciled", [json.dumps(reconciled(event)) for event in events])
    observed.drain(stack, timeout_s=300)
    return stack


def test_a_check_at_the_limit_takes_little_time_and_one_beyond_is_not_decided(at_the_limit):
    seconds = []
    for n in range(3):
        began = monotonic()
        granted = ask(at_the_limit, "POST", "blocks", by_hand("limit", "0.01"), f"{n}", MERCHANT)
        seconds.append(monotonic() - began)
        assert granted.status == 201
    assert min(seconds) < SECONDS_MAX, seconds
    one_more = confirmed(PSP, "one-more", "limit", "1.00")
    observed.send(at_the_limit, "confirmed", [json.dumps(one_more)])
    observed.drain(at_the_limit)
    refused = ask(at_the_limit, "POST", "blocks", by_hand("limit", "0.01"), "more", MERCHANT)
    assert (refused.status, "Nothing was decided" in refused.document["detail"]) == (503, True)
    again = ask(at_the_limit, "POST", "blocks", by_hand("limit", "0.01"), "0", MERCHANT)
    assert again.status == 200
