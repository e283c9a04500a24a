"""What the sealer does with several versions of an object, delete markers and late ones."""

from datetime import timedelta

from tests.audit.sealed import objects
from tests.component.buckets import LOG


def test_a_second_version_and_a_delete_marker_are_told_and_the_first_stays_sealed(buckets):
    some = objects(2)
    one, other, third = sorted(some)[:3]
    buckets.put(some)
    buckets.seal()
    buckets.put({one: some[one] + b"x"})
    buckets.s3.delete_object(Bucket=LOG, Key=other)
    buckets.s3.put_object(Bucket=LOG, Key="elsewhere/x.csv", Body=b"")
    buckets.time += timedelta(hours=1)
    run = buckets.seal()
    assert sorted(run.odd) == sorted([one, other, "elsewhere/"])
    assert run.objects == 0
    places = {each.place for each in buckets.verify().problems}
    assert {one, other, "elsewhere/x.csv"} <= places
    assert third not in places


def test_what_is_as_old_as_what_was_sealed_and_was_not_is_told(buckets):
    """It is never sealed later, as if it had come then."""
    *some, late = objects(3).items()
    buckets.put(dict(some))
    buckets.seal()
    assert buckets.seal().unaccounted == 0
    buckets.put(dict([late]))
    run = buckets.seal()
    assert (run.unaccounted, run.objects) == (1, 0)
    for key, _ in (late, some[0]):
        buckets.purge(key)
    run = buckets.seal()
    assert (run.unaccounted, run.objects) == (-1, 0)
    assert buckets.unaccounted == 0


def test_a_key_written_anew_after_a_purge_is_sealed_once_more_and_told_before_and_after(buckets):
    """Only who may lift GOVERNANCE can purge; nothing tells its new version from a first one."""
    some = objects(2)
    key = min(some)
    buckets.put(some)
    buckets.seal()
    buckets.purge(key)
    buckets.time += timedelta(hours=1)
    buckets.put({key: some[key]})
    run = buckets.seal()
    assert (run.objects, run.unaccounted) == (1, -1)
    assert buckets.seal().unaccounted == -1
    assert buckets.verify().problems


def test_of_two_versions_in_one_second_the_first_is_sealed(buckets):
    some = objects(1)
    key = min(some)
    buckets.put(some)
    for number in range(8):
        buckets.put({key: some[key] + str(number).encode()})
    assert buckets.seal().odd == [key]
    first = buckets.s3.list_object_versions(Bucket=LOG, Prefix=key)["Versions"][-1]
    assert f'"version_id":"{first["VersionId"]}"' in buckets.manifest()
