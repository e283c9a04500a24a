"""The sealer on S3 and KMS: every object is sealed once, in order, and nothing odd with them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.manifests import LogVersions, SigningKey
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.log_grammar import COLUMNS
from lambdas.sealer import sealing
from lambdas.sealer.sealing import OBJECT_BYTES_MAX, newest_to_seal
from tests.audit.logs import Objects
from tests.audit.sealed import objects
from tests.component.buckets import LOG


def test_what_is_new_is_sealed_and_verifies(buckets):
    first = objects(3)
    buckets.put(first)
    run = buckets.seal()
    assert (run.manifests, run.objects, run.odd, run.flawed, run.left) == (
        ["manifests/00000001.jsonl"],
        len(first),
        [],
        [],
        0,
    )
    assert buckets.seal().manifests == []
    assert {each.place for each in buckets.verify().problems} == set()


def test_the_sealer_stays_behind_what_may_not_be_listed_yet():
    now = datetime(2026, 11, 20, 1, 0, 0, 999_999, tzinfo=UTC)
    assert newest_to_seal(now, 300) == datetime(2026, 11, 20, 0, 55, tzinfo=UTC)


def test_objects_of_one_second_are_never_parted_and_none_is_left_or_sealed_twice(buckets):
    some = list(objects(12).items())
    start = buckets.time
    for number in range(0, len(some), 3):
        buckets.put(dict(some[number : number + 3]))
        buckets.time += timedelta(seconds=1)
    run = buckets.seal(objects_max=4, now=start + timedelta(seconds=63))
    # Four at a time, and then what was written in the same second: 6, 6; the rest came later.
    assert (len(run.manifests), run.objects) == (2, 12)
    run = buckets.seal(objects_max=4, has_time=lambda: False)
    assert (len(run.manifests), run.objects, run.left) == (1, 6, len(some) - 18)
    while buckets.seal(objects_max=4).left:
        pass
    assert buckets.verify().problems == []
    assert buckets.manifests.last(buckets.key).objects == len(some)


def test_two_sealers_at_once_write_one_manifest(buckets, monkeypatch):
    buckets.put(objects(2))
    sign = SigningKey.sign

    def raced(key, text):
        monkeypatch.setattr(SigningKey, "sign", sign)
        assert len(buckets.seal().manifests) == 1
        return sign(key, text)

    monkeypatch.setattr(SigningKey, "sign", raced)
    assert buckets.seal().manifests == []
    assert buckets.verify().problems == []
    assert buckets.verify().manifests == 1


def test_a_listing_holds_nothing_of_what_is_sealed_but_its_number(buckets, monkeypatch):
    some = objects(8)
    paginator = buckets.s3.get_paginator
    monkeypatch.setattr(buckets.s3, "get_paginator", lambda name: Pages(paginator(name)))
    buckets.put(some)
    buckets.put({min(some): b"again"})
    since = buckets.time
    buckets.time += timedelta(seconds=1)
    later = "confirmed/later"
    buckets.put({later: b""})
    listing = LogVersions(buckets.s3, LOG).list_all(since)
    assert ([each.key for each in listing.new], listing.known) == ([later], len(some))
    assert listing.odd == [min(some)]


def test_a_clock_ahead_of_s3_s_seals_nothing_that_may_not_be_listed_yet(buckets):
    buckets.time = utc_now()
    buckets.put(objects(2))
    ahead = utc_now() + timedelta(minutes=10)
    assert buckets.seal(now=ahead, settled_s=300).objects == 0
    assert buckets.seal(now=ahead, settled_s=0).objects == len(objects(2))


def test_what_is_not_as_the_log_writes_it_is_sealed_with_its_flaw(buckets):
    some = objects(1)
    key = sorted(some)[0]
    stranger = "confirmed/merchant_id=m-1/notes.txt"
    buckets.put(some | {key: some[key].replace(b".", b","), stranger: b"notes"})
    run = buckets.seal()
    assert sorted(run.flawed) == sorted([key, stranger])
    assert run.objects == len(some) + 1
    done = buckets.verify()
    assert {each.place for each in done.problems} == {key, stranger}
    assert all(
        "flawed when it was sealed" in each.what or "not a key" in each.what
        for each in done.problems
    )


def test_what_is_too_large_to_be_held_is_hashed_as_it_comes(buckets, monkeypatch):
    some = objects(1)
    key, body = "confirmed/large", b"x" * (OBJECT_BYTES_MAX + 1)
    buckets.put(some | {key: body})
    read = LogVersions.read
    monkeypatch.setattr(LogVersions, "read", lambda log, each: read(log, each) * (each.key != key))
    run = buckets.seal()
    assert (run.objects, run.flawed) == (len(some) + 1, [key])
    assert sha256(body).hexdigest() in buckets.manifest()
    assert {each.place for each in buckets.verify().problems} == {key}


def test_amounts_that_python_refuses_to_write_hold_up_nobody_else_s(buckets):
    some, poison = objects(2), with_amounts("9" * 4298 + ".00")
    buckets.put(some | poison)
    run = buckets.seal()
    assert (run.objects, run.flawed) == (len(some | poison), list(poison))
    assert buckets.seal().objects == 0


@pytest.mark.parametrize("error", [ValueError("Exceeds the limit"), None])
def test_whatever_a_reader_says_an_object_becomes_a_leaf(buckets, monkeypatch, error):
    read = read_strictly
    huge = read(*with_amounts("1.00").popitem())
    line = huge.lines[0]
    amount = type(line.amount)(10**4_400, line.amount.currency)
    huge = replace(huge, lines=(replace(line, amount=amount),))

    def reads(key, body):
        if key != poisoned:
            return read(key, body)
        if error is not None:
            raise error
        return huge

    some = objects(2)
    poisoned = min(some)
    monkeypatch.setattr(sealing, "read_strictly", reads)
    buckets.put(some)
    assert (buckets.seal().flawed, buckets.seal().objects) == ([poisoned], 0)


def with_amounts(amount: str) -> Objects:
    """An object of one line, right in all but this."""
    ((key, body),) = list(objects(1).items())[:1]
    header, line, *_ = body.decode().splitlines()
    fields = line.split(",")
    fields[COLUMNS.index("amount")] = amount
    fields[COLUMNS.index("currency")] = "EUR"
    return {key: "\n".join([header, ",".join(fields), ""]).encode()}


class Pages:
    """A paginator with two versions on a page: the versions of a key lie on several."""

    def __init__(self, paginator) -> None:
        self._paginator = paginator

    def paginate(self, **where):
        return self._paginator.paginate(**where, PaginationConfig={"PageSize": 2})


# Proofs
