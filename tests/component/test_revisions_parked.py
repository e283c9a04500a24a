"""A revision on the stream before what it revises is parked, and counted behind it."""

import json

import pytest

from lambdas.persister import handler as persister
from tests import builders
from tests.builders import (
    SENT_AT,
    confirmed,
    cut_of,
    data_of,
    raw,
)
from tests.component.lambda_events import SHARD
from tests.component.revising import WITH_FEE, figures, revised


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """The persister looks at a message when it was sent."""
    monkeypatch.setattr(persister, "utc_now", lambda: SENT_AT)


def record_of(aws, revision: int) -> bytes:
    found: set[bytes] = {
        data
        for records in aws.stream().values()
        for data in records
        if json.loads(data).get("revision", 1) == revision
    }
    return found.pop()


def test_a_revision_is_not_counted_before_what_it_revises(aws):
    aws.load(WITH_FEE)
    assert aws.dispatch(raw(confirmed()), revised("80.00")) == []
    first, second = record_of(aws, 1), record_of(aws, 2)
    cut = cut_of("2026-11-20T10:20:01Z", SHARD).model_dump_json().encode()
    aws.reduce(second, cut)
    assert (figures(aws), aws.as_of()) == ({}, None)
    assert [refused.key.partition("/")[0] for refused in aws.quarantined()] == ["parked"]
    # The rest of the shard goes on, but what is parked is not in: as_of stands still.
    aws.reduce(first, cut)
    assert (figures(aws)["confirmed"], aws.as_of()) == (9900, None)
    # The event is sent again: its publisher brings both, in order.
    aws.reduce(first, second, cut)
    assert (figures(aws)["confirmed"], aws.as_of()) == (7920, "2026-11-20T10:20:01Z")
    assert aws.stream_item("PARKED") == {}


def test_a_revision_that_comes_again_behind_what_it_revises_is_counted(aws):
    aws.load(WITH_FEE)
    assert aws.dispatch(raw(confirmed()), revised("80.00")) == []
    first, second = record_of(aws, 1), record_of(aws, 2)
    aws.reduce(second, first, second)
    assert figures(aws)["confirmed"] == 7920
    assert aws.quarantined() == []


def test_a_parked_record_is_met_again_whatever_it_was_linked_with(aws):
    """Blocks and the other stage are looked up each time that a message is handled."""
    aws.load(WITH_FEE)
    assert aws.dispatch(raw(confirmed()), revised("80.00")) == []
    first, second = record_of(aws, 1), json.loads(record_of(aws, 2))
    contradiction = {"merchants": ["m-1", "m-2"], "is_open": False, "known": 3}
    aws.reduce(json.dumps(second, separators=(",", ":")).encode())
    assert len(aws.stream_item("PARKED")["records"]) == 1
    again = json.dumps(second | {"contradiction": contradiction}, separators=(",", ":"))
    aws.reduce(first, again.encode())
    assert figures(aws)["confirmed"] == 7920
    assert aws.stream_item("PARKED") == {}


def test_what_builds_on_a_parked_revision_is_parked_with_it(aws):
    aws.load(WITH_FEE)
    assert aws.dispatch(raw(confirmed()), revised("80.00"), revised("70.00", 3)) == []
    records = [record_of(aws, revision) for revision in (1, 2, 3)]
    aws.reduce(records[1], records[2])
    assert figures(aws) == {}
    assert len(aws.stream_item("PARKED")["records"]) == 2
    aws.reduce(*records)
    assert figures(aws)["confirmed"] == 6930


def test_a_record_of_a_newer_version_is_parked_and_the_rest_counted(aws):
    aws.load(WITH_FEE)
    assert aws.dispatch(raw(confirmed())) == []
    record = record_of(aws, 1)
    another = data_of(builders.record_of(confirmed(external_reference="order-2")))
    newer = another.replace(b'"schema_version":"1"', b'"schema_version":"2"', 1)
    cut = cut_of("2026-11-20T10:20:01Z", SHARD).model_dump_json().encode()
    aws.reduce(newer, record, cut)
    assert (figures(aws)["confirmed"], aws.as_of()) == (9900, None)
    assert [refused.key.partition("/")[0] for refused in aws.quarantined()] == ["parked"]
