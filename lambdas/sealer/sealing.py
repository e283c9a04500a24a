"""Seals new objects of the log in manifests, until nothing or no time is left."""

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from falcon_balances.adapters.manifests import (
    LogVersions,
    ManifestBucket,
    ObjectVersion,
    SigningKey,
)
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.manifests import SealedObject, seal

_BLINDING_BYTES: Final = 32
_CONCURRENT: Final = 32
# Ten times the largest object that an event of 64 KiB can make for one merchant. The function's
# memory holds all objects that are read at once; a larger object is hashed as a stream.
OBJECT_BYTES_MAX: Final = 1 << 20


class Tell(Protocol):
    """Reports `keys` with flawed or foreign objects, and the number of unaccounted objects.

    It is called before anything is built on those objects, so that no crash, time-out or lost
    answer can hide them. Only the run that seals a flaw reports it.
    """

    def __call__(self, keys: Sequence[str], unaccounted: int = 0) -> None: ...


@dataclass(slots=True)
class SealerRun:
    """The result of a run. `odd`: keys with a second version or a delete marker, or foreign.

    `unaccounted`: the number of objects written up to the last sealed time, less those sealed.
    """

    odd: Sequence[str]
    unaccounted: int
    manifests: list[str] = field(default_factory=list)
    objects: int = 0
    flawed: list[str] = field(default_factory=list)
    left: int = 0


def seal_new(
    log: LogVersions,
    manifests: ManifestBucket,
    key: SigningKey,
    *,
    now: datetime,
    settled_s: int,
    objects_max: int,
    has_time: Callable[[], bool],
    tell: Tell,
) -> SealerRun:
    """Seals everything written to the log at least `settled_s` seconds ago, about `objects_max`
    objects per manifest. Anything new gets at least one manifest; more follow while `has_time`.

    Concurrent runs do no harm: one writes the next manifest, the others stop.
    """
    sealed = manifests.last(key)
    since = None if sealed.head is None else parse_rfc3339(sealed.head.sealed_until)
    listing = log.list_all(since)
    # Times of writing are S3's: our own clock, if ahead, would pass over objects not written yet.
    until = newest_to_seal(min(now, listing.asked_at or now), settled_s)
    new: Sequence[ObjectVersion] = sorted(each for each in listing.new if each.written_at <= until)
    run = SealerRun(listing.odd, listing.known - sealed.objects)
    tell(run.odd, run.unaccounted)
    while new and (not run.manifests or has_time()):
        some, new = _take(new, objects_max)
        objects = _read(log, some)
        flawed = [each.key for each in objects if each.flaw is not None]
        if flawed:
            tell(flawed)
            run.flawed.extend(flawed)
        manifest, sealed = seal(
            log.bucket,
            sealed,
            objects,
            rfc3339(some[-1].written_at if new else until),
            secrets.token_bytes(_BLINDING_BYTES),
        )
        if not manifests.append(manifest, key.sign(manifest.head.line())):
            break
        run.manifests.append(manifest.key)
        run.objects += len(some)
    run.left = len(new)
    return run


def newest_to_seal(now: datetime, settled_s: int) -> datetime:
    """The newest time to seal: S3 sets an object's time a little before it lists the object."""
    return now.replace(microsecond=0) - timedelta(seconds=settled_s)


def _take(
    new: Sequence[ObjectVersion], objects_max: int
) -> tuple[Sequence[ObjectVersion], Sequence[ObjectVersion]]:
    """Objects written in the same second stay together: the next manifest begins after them."""
    end = min(objects_max, len(new))
    while end < len(new) and new[end].written_at == new[end - 1].written_at:
        end += 1
    return new[:end], new[end:]


def _read(log: LogVersions, versions: Sequence[ObjectVersion]) -> list[SealedObject]:
    """Reads objects concurrently and drops each body after hashing: memory holds only a few."""
    with ThreadPoolExecutor(_CONCURRENT) as pool:
        return list(pool.map(partial(_sealed, log), versions))


def _sealed(log: LogVersions, version: ObjectVersion) -> SealedObject:
    """The sealed form of any object: one object never stops the others."""
    if version.size > OBJECT_BYTES_MAX:
        digest, flaw = log.digest(version), "larger than a log object can be"
        return SealedObject(version.key, version.version_id, version.size, digest, {}, flaw)
    body = log.read(version)
    try:
        segment = read_strictly(version.key, body)
    except ValueError as error:  # FlawedObjectError, or a number that Python refuses to print
        return SealedObject.of(version.key, version.version_id, body, str(error))
    return SealedObject.of(version.key, version.version_id, body, segment)
