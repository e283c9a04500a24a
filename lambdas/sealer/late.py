"""Finds out whether segments that come again, after their quarter was sealed, were sealed."""

from bisect import bisect_left
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from falcon_balances.adapters.manifests import ManifestBucket
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import JournalEntry
from falcon_balances.domain.manifests import Sealed, manifest_key, sealed_in

# A page has the records of one batch, none of them older than the stream keeps them. So a manifest
# has no quarters that are much later than the time until which it seals everything.
# https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
_RETENTION: Final = timedelta(days=7)


class _Contents(NamedTuple):
    """A segment as a manifest names it."""

    log_key: str
    sha256: str


class SealedBefore:
    """The manifests up to the last one. Each manifest is read once, and the last one read is kept.

    Costs a manifest for each quarter of late entries, and about as many reads of heads as the
    number of manifests has binary digits; nothing without late entries.
    """

    def __init__(self, manifests: ManifestBucket) -> None:
        self._manifests = manifests
        self._times: dict[int, datetime] = {}
        self._read: tuple[int, frozenset[_Contents]] = (0, frozenset())

    def unaccounted(
        self, late: Iterable[JournalEntry], new: Iterable[JournalEntry], sealed: Sealed
    ) -> list[str]:
        """Keys of late entries that are neither in `new` nor, with these bytes, in a manifest."""
        seen = {_contents(each) for each in new}
        missing: dict[datetime, set[_Contents]] = {}
        for entry in late:
            if (contents := _contents(entry)) not in seen:
                missing.setdefault(entry.window, set()).add(contents)
        last = 0 if sealed.head is None else sealed.head.sequence
        lacking = (self._lacking(last, *each) for each in sorted(missing.items()))
        return sorted({each.log_key for some in lacking for each in some})

    def _lacking(
        self, last: int, window: datetime, wanted: Collection[_Contents]
    ) -> Collection[_Contents]:
        """Looks in the manifest that sealed the rest of this quarter, then in earlier ones."""
        wanted = set(wanted)
        numbers = range(1, last + 1)
        place = bisect_left(numbers, True, key=lambda each: self._closed(each) > window)  # noqa: FBT003
        sequence = min(place + 1, last)
        while wanted and sequence > 0 and self._closed(sequence) > window - _RETENTION:
            wanted -= self._contents_of(sequence)
            sequence -= 1
        return wanted

    def _closed(self, sequence: int) -> datetime:
        """The time before which every quarter was sealed with this manifest."""
        if sequence not in self._times:
            head = self._manifests.head(sequence)
            self._times[sequence] = closed_until(parse_rfc3339(head.sealed_until))
        return self._times[sequence]

    def _contents_of(self, sequence: int) -> frozenset[_Contents]:
        if self._read[0] != sequence:
            leaves = sealed_in(self._manifests.read(manifest_key(sequence)))
            self._read = (sequence, frozenset(_Contents(*each) for each in leaves))
        return self._read[1]


def _contents(entry: JournalEntry) -> _Contents:
    return _Contents(entry.log_key, entry.sha256)
