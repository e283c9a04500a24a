"""An event that lies in the log twice, or whose parts do not fit together, is found."""

import pytest

from falcon_balances.audit.verifier.events import Events
from falcon_balances.audit.verifier.findings import Discrepancy
from falcon_balances.audit.verifier.leaves import (
    check_leaves,
)
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.identity import balance_operation_uuid
from falcon_balances.domain.log_grammar import HEADER
from falcon_balances.domain.operations import OperationType, Segment, Stage
from falcon_balances.domain.sealed_objects import SealedObject
from tests.audit.logs import Objects
from tests.audit.sealed import objects, sealed_log
from tests.audit.tampering import check

OPERATION = "11111111-2222-5333-8444-555555555555"


def an_object(merchant: str = "m-1", day: str = "2026-11-20", part: str = "") -> Objects:
    """One capture of an operation that is the same in all of them."""
    uuid = balance_operation_uuid(
        OPERATION, Stage.CONFIRMED, merchant, "bs-1", OperationType.CAPTURE, 0
    )
    row = f"{uuid},r,100.00,EUR,capture,{OPERATION},{day}T10:00:00Z,l,s,bs-1,p,,,,,"
    key = f"confirmed/merchant_id={merchant}/date={day}/{OPERATION}{part}.csv"
    return {key: f"{HEADER}\n{row}\n".encode()}


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize(
    ("some", "wrong", "what"),
    [
        ([an_object(), an_object("m-2")], 1, "is already in the log"),
        ([an_object(), an_object(day="2026-11-21")], 1, "is already in the log"),
        (
            [an_object(part=".1-of-2"), an_object("m-2", part=".2-of-2"), an_object("m-3")],
            2,
            "its number of parts",
        ),
        (
            [
                an_object("m-1", part=".1-of-2"),
                an_object("m-2", part=".2-of-2"),
                an_object("m-3", part=".1-of-2"),
            ],
            2,
            "is already in the log",
        ),
        (
            [an_object(part=".1-of-2"), an_object(part=".2-of-2")],
            1,
            "is already in the log",
        ),
        (
            [an_object(part=".1-of-2"), an_object("m-2", "2026-11-21", ".2-of-2")],
            1,
            "a different day",
        ),
        (
            [an_object(part=".1-of-2"), an_object("m-2", part=".3-of-2")],
            1,
            "not a key of the log",
        ),
        ([an_object(part=".1-of-2"), an_object("m-2", part=".2-of-3")], 1, "its number of parts"),
    ],
)
def test_an_event_that_lies_there_twice_or_does_not_fit_is_found(
    tmp_path, monkeypatch, apart, some, wrong, what
):
    """Sealed in one manifest or several, by whom it does not trouble."""
    monkeypatch.setattr("tests.audit.sealed.read_strictly", read_without_key)
    parts = some if apart else [{key: body for each in some for key, body in each.items()}]
    sealed = sealed_log(tmp_path / "s", parts)
    done = verify(sealed.log, sealed.manifests, sealed.public_key, versions=sealed.versions)
    (key,) = some[wrong]
    said = [each for each in done.problems if what in each.what]
    assert [each.place for each in said] == [key]
    assert {each.place for each in done.problems} <= {key, *some[0]}


def read_without_key(key: str, body: bytes) -> Segment:
    """As a sealer that looks at nothing but the lines."""
    plain = key.replace(key[key.index("/date=") + 53 :], ".csv")
    return read_strictly(plain, body)


def test_parts_may_be_sealed_apart_and_all_must_be_sealed_a_day_after_the_first(tmp_path):
    first, second = an_object(part=".1-of-2"), an_object("m-2", part=".2-of-2")
    assert check(sealed_log(tmp_path / "both", [first, second])) == set()
    assert check(sealed_log(tmp_path / "one", [first])) == set()
    more = objects(1)
    assert check(sealed_log(tmp_path / "lacks", [first, more])) == set(first)


@pytest.mark.parametrize(
    ("last", "is_said"),
    [
        ("2026-11-21T00:59:59Z", False),
        ("2026-11-21T01:00:00Z", True),
        ("0001-01-01T00:00:00Z", False),
        ("tomorrow", True),
    ],
)
def test_a_part_may_be_missing_for_less_than_a_day(last, is_said):
    events = Events()
    [key] = an_object(part=".1-of-2")
    events.note("event", key, "2026-11-20T01:00:00Z")
    assert [each.place for each in events.problems(last)] == [key] * is_said


def test_an_object_that_was_flawed_when_it_was_sealed_is_named_without_the_log_too():
    (key,) = an_object()
    leaf = SealedObject.of(key, "v", b"x", "line 1: header").leaf()
    checked = check_leaves(None, "00000001.jsonl", 3, [leaf])
    assert checked.problems == [
        Discrepancy(key, "it was flawed when it was sealed: line 1: header")
    ]
