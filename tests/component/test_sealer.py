"""The sealer on S3 and KMS: every object is sealed once, in order, and nothing odd with them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from falcon_balances.adapters.manifests import SigningKey
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.log_grammar import COLUMNS
from lambdas.sealer import sealing
from tests.audit.logs import Objects
from tests.audit.sealed import objects


def test_what_is_new_is_sealed_and_verifies(buckets):
    first = objects(3)
    buckets.put(first)
    run = buckets.seal()
    assert (run.manifests, run.objects, run.odd, run.flawed, run.unaccounted, run.left) == (
        ["manifests/00000001.jsonl"],
        len(first),
        [],
        [],
        [],
        0,
    )
    assert buckets.seal().manifests == []
    assert {each.place for each in buckets.verify().problems} == set()


def test_before_the_first_cut_nothing_is_sealed(buckets):
    buckets.put(objects(1))
    assert buckets.seal(cuts=False).manifests == []


def test_what_was_counted_after_the_last_cut_waits_for_the_next(buckets):
    some = list(objects(2).items())
    buckets.put(dict(some[:1]))
    buckets.cut()
    buckets.put(dict(some[1:]))
    assert buckets.seal(cuts=False).objects == 1
    assert buckets.seal().objects == len(some) - 1
    assert buckets.verify().problems == []


def test_manifests_end_with_pages_and_no_object_is_left_or_sealed_twice(buckets):
    some = list(objects(12).items())
    for number in range(0, len(some), 3):
        buckets.put(dict(some[number : number + 3]))
        buckets.time += timedelta(minutes=7)
    run = buckets.seal(objects_max=4, has_time=lambda: False)
    # Pages have three objects each: the second one makes it more than four.
    assert (len(run.manifests), run.objects, run.left) == (1, 6, len(buckets.journal.objects) - 2)
    run = buckets.seal(objects_max=4)
    assert (run.objects, run.left) == (len(some) - 6, 0)
    assert buckets.verify().problems == []
    assert buckets.manifests.last(buckets.key).objects == len(some)


def test_two_sealers_at_once_write_one_manifest(buckets, monkeypatch):
    buckets.put(objects(2))
    sign = SigningKey.sign

    def raced(key, text):
        monkeypatch.setattr(SigningKey, "sign", sign)
        assert len(buckets.seal(cuts=False).manifests) == 1
        return sign(key, text)

    monkeypatch.setattr(SigningKey, "sign", raced)
    assert buckets.seal().manifests == []
    assert buckets.verify().problems == []
    assert buckets.verify().manifests == 1


def test_what_is_not_as_the_log_writes_it_is_sealed_with_its_flaw(buckets):
    some = objects(1)
    key = min(some)
    buckets.put(some | {key: some[key].replace(b".", b",")})
    run = buckets.seal()
    assert (run.flawed, run.objects) == ([key], len(some))
    [problem] = buckets.verify().problems
    assert (problem.place, "flawed when it was sealed" in problem.what) == (key, True)


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
