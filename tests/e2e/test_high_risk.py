"""A merchant of high risk on the embedded AWS: the log's objects are read by the keys of marks."""

import json

import pytest

from tests.e2e import observed
from tests.e2e.events import confirmed, context, jsonl, reconciled
from tests.e2e.test_blocks import ask, by_hand

PSP = "limit-psp"
MERCHANT = "m-limit"
OPERATIONS = 10


@pytest.fixture(scope="module")
def counted(stack, falcon, tmp_path_factory):
    """1.00 EUR available by each of so many operations, in both stages."""
    file = jsonl(tmp_path_factory.mktemp("limit") / "m.jsonl", [context(PSP, "limit", risk="high")])
    loaded = falcon("merchants", "load", file)
    assert loaded.returncode == 0, loaded.stderr
    events = [confirmed(PSP, f"o-{n}", "limit", "1.00") for n in range(OPERATIONS)]
    observed.send(stack, "confirmed", [json.dumps(event) for event in events])
    observed.send(stack, "reconciled", [json.dumps(reconciled(event)) for event in events])
    observed.drain(stack)
    return stack


def test_what_the_log_has_can_be_set_aside_and_no_cent_more(counted):
    all_of_it = ask(counted, "POST", "blocks", by_hand("limit", "10.00"), "all", MERCHANT)
    assert all_of_it.status == 201
    a_cent = ask(counted, "POST", "blocks", by_hand("limit", "0.01"), "cent", MERCHANT)
    assert a_cent.status == 409
    again = ask(counted, "POST", "blocks", by_hand("limit", "10.00"), "all", MERCHANT)
    assert again.status == 200
