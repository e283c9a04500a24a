"""Sealing what is new in the log: a manifest for so many objects, until nothing is left or time."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from falcon_balances.adapters.manifests import (
    LogVersions,
    ManifestBucket,
    ObjectVersion,
    SigningKey,
)
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.manifests import SealedObject, seal

_BLINDING_BYTES: Final = 32


@dataclass(slots=True)
class SealerRun:
    """What one run did. `odd`: keys with a second version or a delete marker, or not ours.

    `unaccounted`: how many objects more, or fewer, are as old as what was sealed than were sealed.
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
    until: datetime,
    objects_max: int,
    has_time: Callable[[], bool],
) -> SealerRun:
    """Everything written to the log up to `until`, at most `objects_max` objects in a manifest; one
    manifest in any case, more while `has_time`.

    Several that ran at once do no harm: one writes the next manifest, the others stop.
    """
    sealed = manifests.last()
    listing = log.list_all()
    since = None if sealed.head is None else parse_rfc3339(sealed.head.sealed_until)
    later = [each for each in listing.firsts if since is None or each.written_at > since]
    new: Sequence[ObjectVersion] = sorted(each for each in later if each.written_at <= until)
    run = SealerRun(listing.odd, len(listing.firsts) - len(later) - sealed.objects)
    while new and (not run.manifests or has_time()):
        some, new = _take(new, objects_max)
        objects = [_sealed(version, body) for version, body in log.read_all(some)]
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
        run.flawed.extend(each.key for each in objects if each.flaw is not None)
        run.objects += len(some)
    run.left = len(new)
    return run


def newest_to_seal(now: datetime, settled_s: int) -> datetime:
    """S3 gives a time to an object before it lists it: what is younger may not be listed yet."""
    return now.replace(microsecond=0) - timedelta(seconds=settled_s)


def _take(
    new: Sequence[ObjectVersion], objects_max: int
) -> tuple[Sequence[ObjectVersion], Sequence[ObjectVersion]]:
    """All that were written in the same second stay together: the next one begins after it."""
    end = min(objects_max, len(new))
    while end < len(new) and new[end].written_at == new[end - 1].written_at:
        end += 1
    return new[:end], new[end:]


def _sealed(version: ObjectVersion, body: bytes) -> SealedObject:
    try:
        segment = read_strictly(version.key, body)
    except FlawedObjectError as flaw:
        return SealedObject.of(version.key, version.version_id, body, str(flaw))
    return SealedObject.of(version.key, version.version_id, body, segment)
