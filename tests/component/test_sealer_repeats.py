"""What the sealer does with segments that come again, in any page, and with second versions."""

from datetime import timedelta

import pytest

from falcon_balances.domain.errors import IntegrityError
from tests.audit.sealed import objects
from tests.component.buckets import LOG

LATER = timedelta(hours=3)


@pytest.mark.parametrize("seals_between", [True, False])
@pytest.mark.parametrize("later", [timedelta(), LATER])
def test_a_segment_that_comes_again_is_sealed_once(buckets, seals_between, later):
    some = objects(3)
    start = buckets.time
    buckets.put(some)
    if seals_between:
        assert buckets.seal().objects == len(some)
    buckets.time += later
    buckets.again(some, start)
    buckets.put({key: body for key, body in objects(4).items() if key not in some})
    buckets.again(some, start)
    buckets.seal()
    assert (buckets.told, buckets.verify().problems) == ([], [])
    assert buckets.manifests.last(buckets.key).objects == len(objects(4))


def test_a_repeat_of_long_ago_is_found_in_its_manifest_among_many(buckets):
    some = [{key: body} for key, body in objects(8).items()]
    times = []
    for each in some:
        buckets.put(each)
        times.append(buckets.time)
        buckets.seal()
        buckets.time += timedelta(hours=5)
    for each, counted_at in zip(some, times, strict=True):
        buckets.again(each, counted_at)
    run = buckets.seal()
    assert (run.objects, run.unaccounted, buckets.verify().problems) == (0, [], [])


def test_a_segment_of_a_sealed_quarter_that_was_not_sealed_is_told_and_not_sealed(buckets):
    *some, hidden = [{key: body} for key, body in objects(3).items()]
    start = buckets.time
    for each in some:
        buckets.put(each)
    buckets.time += LATER
    buckets.seal()
    versions = dict.fromkeys(hidden, "v-1")
    buckets.count(hidden, versions, start)
    run = buckets.seal()
    assert (run.objects, run.unaccounted, buckets.told) == (0, list(hidden), list(hidden))
    assert buckets.seal().unaccounted == []


def test_a_late_repeat_with_other_bytes_is_told(buckets):
    some = objects(1)
    key = min(some)
    start = buckets.time
    buckets.put(some)
    buckets.time += LATER
    buckets.seal()
    buckets.again({key: some[key] + b"x"}, start)
    assert buckets.seal().unaccounted == [key]


def test_a_repeat_in_an_open_quarter_with_other_bytes_stops_the_sealer(buckets):
    some = objects(1)
    key = min(some)
    buckets.put(some)
    buckets.again({key: some[key] + b"x"}, buckets.time)
    with pytest.raises(IntegrityError, match="two entries of the journal differ"):
        buckets.seal()


def test_of_a_second_version_the_first_stays_sealed_and_it_is_told(buckets):
    some = objects(2)
    one, other, third = sorted(some)[:3]
    buckets.put(some)
    buckets.put({one: some[one]})
    buckets.s3.delete_object(Bucket=LOG, Key=other)
    buckets.s3.put_object(Bucket=LOG, Key="elsewhere/x.csv", Body=b"")
    run = buckets.seal()
    assert (run.odd, run.objects) == ([one], len(some))
    places = {each.place for each in buckets.verify().problems}
    assert {one, other, "elsewhere/x.csv"} <= places
    assert third not in places
