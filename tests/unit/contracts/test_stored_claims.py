import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.capacity.item_units import item_bytes
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.contracts.stored_claims import SAID, WORDS, read_stored, stored
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.operations import Stage
from generated import events
from inprocess.pure import claim_of
from tests.builders import claim_of as built_claim
from tests.strategies import Case, accepted_cases, few

CLAIM = built_claim()


def generated_claims(messages: list[events.Message]) -> list[ClaimV1]:
    histories = events.histories_of(10)
    operations = [
        parse_message(each.body, each.stage, mode="test", sent_at=events.SENT_AT)
        for each in messages
    ]
    return [claim_of(each, events.RECEIVED_AT, histories) for each in operations]


@few
@given(accepted_cases(), st.integers(1, 99))
def test_a_stored_claim_reads_back_with_the_same_bytes_for_the_log(case: Case, revision):
    claim = ClaimV1.of(case.operation, "2026-11-20T10:20:00Z", case.split())
    claim = claim.model_copy(update={"revision": revision})
    again = read_stored(stored(claim))
    assert again == claim
    assert again.model_dump_json() == claim.model_dump_json()
    bodies = [claim.body_of(each) for each in claim.segments]
    assert [again.body_of(each) for each in again.segments] == bodies


def test_what_changes_and_what_is_a_condition_stays_an_attribute():
    claim = CLAIM.model_copy(
        update={"stage": Stage.PAYOUT, "state": "paid", "returned": 7, "returned_by": ("a", "b")}
    )
    item = stored(claim)
    assert {name: value for name, value in item.items() if name != SAID} == {
        "falcon_operation_id": claim.falcon_operation_id,
        "stage": "payout",
        "state": "paid",
        "returned": 7,
        "returned_by": ["a", "b"],
    }
    moved = read_stored({**item, "state": "given_up", "returned": 8, "returned_by": ["a"]})
    assert (moved.state, moved.returned, moved.returned_by) == ("given_up", 8, ("a",))
    later = CLAIM.model_copy(update={"revision": 3})
    assert stored(later)["stage"] == "confirmed.3"
    assert read_stored(stored(later)) == later


def test_an_everyday_claim_takes_less_than_half_a_kib_and_a_marketplace_s_less_than_one():
    everyday = generated_claims(list(events.both_stages(20, 10)))
    assert max(item_bytes(stored(claim)) for claim in everyday) < 512
    marketplaces = generated_claims(list(events.marketplaces(20, 10)))
    assert max(item_bytes(stored(claim)) for claim in marketplaces) < 1024


SAVED = stored(CLAIM)[SAID]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(SAVED[:-1], id="cut off"),
        pytest.param(SAVED + b"x", id="more behind it"),
        pytest.param(SAVED[:20] + bytes([SAVED[20] ^ 1]) + SAVED[21:], id="a bit changed"),
        pytest.param(zlib.compress(b"{}" * 9), id="compressed otherwise"),
        pytest.param(zlib.compress(b" " * 5_000_000 + b"{}"), id="grows without end"),
    ],
)
def test_bytes_that_are_no_stored_claim_are_an_integrity_error(said):
    with pytest.raises(IntegrityError, match=CLAIM.falcon_operation_id):
        read_stored({**stored(CLAIM), SAID: said})


def test_a_claim_cannot_be_read_under_another_s_key():
    other = generated_claims(list(events.captures(1, 1)))[0]
    moved = {**stored(CLAIM), "falcon_operation_id": other.falcon_operation_id}
    with pytest.raises(IntegrityError, match=other.falcon_operation_id):
        read_stored(moved)


def test_the_words_never_change_as_claims_are_kept_for_ever():
    digest = "08becd852e256cd936783e8144478106af3a428395d7e3bb5256ef5cde689ce9"
    assert sha256(WORDS).hexdigest() == digest
