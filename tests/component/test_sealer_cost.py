"""What a run of the sealer costs in AWS calls: the same at any age of the log."""

from collections import Counter
from collections.abc import Sequence
from math import log
from random import Random
from typing import Any

import pytest

from falcon_balances.adapters.manifests import ManifestBucket, SigningKey
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.journal import JournalPosition
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.manifests import Head, Sealed, manifest_key, seal, sequence_of
from falcon_balances.domain.merchant_branch import SealedLine
from falcon_balances.domain.sealed_objects import SealedObject
from falcon_balances.domain.sealed_shards import SealedShard
from falcon_balances.domain.sealed_sums import SealedKind, SealedSum
from lambdas.sealer.sealing import SealerPorts, SealerRun, seal_new
from tests.audit.sealed import objects
from tests.component.buckets import LOG, MANIFESTS, Buckets
from tests.journals import SHARD

PER_MANIFEST = 50_000
PER_PAGE = 400
NEW = objects(1_820)


class Counting:
    """A client of AWS that counts its calls, and a bucket that has had manifests for years."""

    def __init__(self, client: Any, calls: Counter[str], manifests: int = 0) -> None:
        self._client = client
        self._calls = calls
        self._manifests = manifests

    def __getattr__(self, name: str) -> Any:
        def call(*where: Any, **said: Any) -> Any:
            self._calls[name] += 1
            if name == "list_objects_v2" and self._has(said["Prefix"]):
                return {"Contents": [{"Key": said["Prefix"]}]}
            return getattr(self._client, name)(*where, **said)

        return call

    def get_paginator(self, name: str) -> Any:
        self._calls[name] += 1
        return self._client.get_paginator(name)

    def _has(self, key: str) -> bool:
        return 0 < (sequence_of(key) or 0) < self._manifests


def sealed_before(buckets: Buckets, sealed_objects: int) -> int:
    """A log of this size, sealed until now: only its last manifest is really there."""
    number = max(1, sealed_objects // PER_MANIFEST)
    page = JournalPosition(sealed_objects // PER_PAGE, "a" * 64)
    buckets.journaled(page)
    before = Sealed(Head(LOG, number - 1, None, "2026-01-01T00:00:00Z", "0" * 64), sealed_objects)
    until = rfc3339(closed_until(buckets.time))
    manifest, _ = seal(
        LOG,
        before,
        [],
        until,
        bytes(32),
        {SHARD: SealedShard(page, page)},
        buckets.manifests.lines,
    )
    signed = manifest.signed(buckets.key.sign(manifest.head.line()))
    buckets.s3.put_object(Bucket=MANIFESTS, Key=manifest_key(number), Body=signed)
    return number


def run_counted(buckets: Buckets, manifests: int) -> tuple[SealerRun, Counter[str]]:
    buckets.cut()
    calls: Counter[str] = Counter()
    journal: Any = Counting(buckets.journal, calls)
    s3: Any = Counting(buckets.s3, calls, manifests)
    kms: Any = Counting(buckets.kms, calls)
    key = SigningKey(kms, buckets.key._key_id)
    # The fake of the table is not counted: one GetItem for `as_of`, and two reads for `ends`.
    calls["reads of the table"] = 3
    ports = SealerPorts(
        buckets.store, buckets.store, journal, ManifestBucket(s3, MANIFESTS), key, buckets.tell
    )
    return seal_new(LOG, ports, objects_max=PER_MANIFEST, has_time=lambda: True), calls


@pytest.mark.parametrize("sealed_objects", [10**4, 10**6, 10**9])
def test_an_object_costs_the_same_number_of_calls_at_any_age_of_the_log(buckets, sealed_objects):
    manifests = sealed_before(buckets, sealed_objects)
    new = list(NEW.items())
    for first in range(0, len(new), PER_PAGE):
        some = dict(new[first : first + PER_PAGE])
        buckets.count(some, dict.fromkeys(some, "version"), buckets.time)
    run, calls = run_counted(buckets, manifests)
    assert (run.objects, run.unaccounted, run.left) == (len(NEW), [], 0)
    assert calls.total() <= 50
    assert calls.total() / len(NEW) <= 0.02


@pytest.mark.parametrize("sealed_objects", [10**4, 10**6, 10**9])
def test_a_run_with_nothing_new_costs_a_constant(buckets, sealed_objects):
    run, calls = run_counted(buckets, sealed_before(buckets, sealed_objects))
    assert (run.manifests, run.objects) == ([], 0)
    assert calls.total() <= 35
    assert not {"names", "read"} & set(calls)


MOVED = objects(9, merchants=10**6)
BEFORE = 5
NAME = "11111111-2222-5333-8444-555555555555.csv"


def one_object(merchant_id: str, number: int) -> SealedObject:
    sums = {SealedKind("bs-1", "EUR", "confirmed", "capture"): SealedSum(100, 2, 1)}
    key = f"confirmed/merchant_id={merchant_id}/date=2026-10-01/{number:08}{NAME[8:]}"
    return SealedObject(key, "v", 1, "0" * 64, sums)


def merchants_before(buckets: Buckets, merchants: int) -> None:
    """So many merchants that were sealed before, a fifth in each of five manifests; those of
    MOVED are among them.
    """
    moving = sorted({str(merchant_of(key)) for key in MOVED})
    everybody = [*moving, *(f"n-{n}" for n in range(merchants - len(moving)))]
    sealed = Sealed()
    written: dict[int, bytes] = {}

    def read(wanted: Sequence[SealedLine]) -> list[bytes]:
        return [written[at.sequence][at.offset : at.offset + at.size] for at in wanted]

    for number in range(BEFORE):
        some = [one_object(each, number) for each in everybody[number::BEFORE]]
        until = rfc3339(closed_until(buckets.time))
        shards = {SHARD: SealedShard()}
        manifest, sealed = seal(LOG, sealed, some, until, bytes(32), shards, read)
        written[number + 1] = b"\n".join(manifest.leaves)
        assert buckets.manifests.append(manifest, buckets.key.sign(manifest.head.line()))


@pytest.mark.parametrize("merchants", [10**2, 10**4, 10**5])
def test_merchants_that_did_not_move_cost_neither_calls_nor_bytes(buckets, merchants):
    merchants_before(buckets, merchants)
    moved = len({merchant_of(key) for key in MOVED})
    buckets.count(MOVED, dict.fromkeys(MOVED, "version"), buckets.time)
    run, calls = run_counted(buckets, BEFORE)
    assert (run.objects, moved) == (len(MOVED), 10)
    written = len(buckets.manifest(BEFORE + 1).encode())
    deep = log(merchants, 16) + 2
    assert calls["get_object"] <= 1 + BEFORE + moved * deep
    assert calls.total() - calls["get_object"] <= 40
    assert written <= 16_384 + moved * deep * 1_600


def test_other_merchants_every_night_are_read_from_few_manifests_at_any_age(buckets):
    """An eighth of all merchants, chosen anew each night: each of their leaves is in the last
    eight manifests, wherever it last moved. A request reads all lines of a manifest.
    """
    rng = Random(1)
    sealed = Sealed()
    read = []
    for night in range(50):
        calls: Counter[str] = Counter()
        s3: Any = Counting(buckets.s3, calls)
        manifests = ManifestBucket(s3, MANIFESTS)
        some = [one_object(f"m-{each}", night) for each in rng.sample(range(400), 50)]
        until = rfc3339(closed_until(buckets.time))
        shards = {SHARD: SealedShard()}
        manifest, sealed = seal(LOG, sealed, some, until, bytes(32), shards, manifests.lines)
        read.append(calls["get_object"])
        assert manifests.append(manifest, buckets.key.sign(manifest.head.line()))
    assert max(read[10:]) <= 8
    assert sum(read[10:20]) - 5 <= sum(read[-10:]) <= sum(read[10:20]) + 5
