"""Seals what the journals have that is new, until nothing or no time is left."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from falcon_balances.adapters.journal_ports import Journal, JournalEnds
from falcon_balances.adapters.manifests import ManifestBucket, SigningKey
from falcon_balances.adapters.progress_ports import StreamProgress
from falcon_balances.adapters.unsealed_journal import UnsealedJournal
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.journal import JournalEntry
from falcon_balances.domain.manifests import seal
from falcon_balances.domain.sealed_objects import SealedObject
from lambdas.sealer.late import SealedBefore

_BLINDING_BYTES: Final = 32


class Faults(NamedTuple):
    """Keys of the log. `odd`: published with a second version. `flawed`: sealed, but not as the
    log's writer writes them. `unaccounted`: of a sealed quarter, but in no manifest; not sealed.
    """

    odd: Sequence[str]
    flawed: Sequence[str]
    unaccounted: Sequence[str]


class Tell(Protocol):
    """Reports faults. It is called before a manifest with the objects is written, so that no crash,
    timeout or lost answer can hide the faults: only the run that reads a fault reports it.
    """

    def __call__(self, faults: Faults) -> None: ...


class SealerPorts(NamedTuple):
    progress: StreamProgress
    ends: JournalEnds
    journal: Journal
    manifests: ManifestBucket
    key: SigningKey
    tell: Tell


@dataclass(slots=True)
class SealerRun:
    """The result of a run. `left`: the number of journal pages that the next run reads."""

    manifests: list[str] = field(default_factory=list)
    objects: int = 0
    odd: list[str] = field(default_factory=list)
    flawed: list[str] = field(default_factory=list)
    unaccounted: list[str] = field(default_factory=list)
    left: int = 0

    def add(self, faults: Faults) -> None:
        self.odd += faults.odd
        self.flawed += faults.flawed
        self.unaccounted += faults.unaccounted


def seal_new(
    log: str, ports: SealerPorts, *, objects_max: int, has_time: Callable[[], bool]
) -> SealerRun:
    """Seals everything that was counted by the last complete cut, about `objects_max` objects per
    manifest. New pages get at least one manifest; more follow while `has_time`. `log`: the bucket.

    Concurrent runs do no harm: one writes the next manifest, the others stop.
    """
    run = SealerRun()
    cut_at = ports.progress.as_of()
    if cut_at is None:
        return run
    sealed = ports.manifests.last(ports.key)
    since = None if sealed.head is None else parse_rfc3339(sealed.head.sealed_until)
    ends = ports.ends.ends(cut_at)
    journal = UnsealedJournal(ports.journal, sealed.shards, since, ends, cut_at)
    before = SealedBefore(ports.manifests)
    for part in journal.parts(objects_max):
        objects = [_sealed(entry) for entry in part.new]
        faults = Faults(
            sorted(part.second_versions),
            [each.key for each in objects if each.flaw is not None],
            before.unaccounted(part.late, part.new, sealed),
        )
        run.add(faults)
        ports.tell(faults)
        manifest, sealed = seal(
            log,
            sealed,
            objects,
            rfc3339(part.until),
            secrets.token_bytes(_BLINDING_BYTES),
            part.shards,
            ports.manifests.lines,
        )
        if not ports.manifests.append(manifest, ports.key.sign(manifest.head.line())):
            break
        run.manifests.append(manifest.key)
        run.objects += len(objects)
        if not has_time():
            break
    run.left = journal.left
    return run


def _sealed(entry: JournalEntry) -> SealedObject:
    """The sealed form of any object: one object never stops the others."""
    body = entry.body.encode()
    try:
        segment = read_strictly(entry.log_key, body)
    except ValueError as error:  # FlawedObjectError, or a number that Python refuses to print
        return SealedObject.of(entry.log_key, entry.version_id, body, str(error))
    return SealedObject.of(entry.log_key, entry.version_id, body, segment)
