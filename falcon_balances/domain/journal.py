"""The journal (design §7): every counted segment, as its mark says, in pages that build on each
other.

Each page of a shard has a number, and names the page before it by the SHA-256 of its bytes. So a
position, which is a number with a page's hash, names one sequence of pages: none of them can be
missing, replaced or added unnoticed. A page that an interrupted attempt of the reducer wrote is
named by no other page, and nobody reads it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple, Self

from falcon_balances.domain.effects import Effect, effect_text
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import rfc3339

FOLDER: Final = "journal"
_NUMBER_DIGITS: Final = 12
_DIGEST: Final = "[0-9a-f]{64}"
_POSITION: Final = re.compile(rf"(?P<number>[0-9]{{{_NUMBER_DIGITS}}})-(?P<digest>{_DIGEST})")
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Shard.html
_KEY: Final = re.compile(
    rf"{FOLDER}/(?P<shard_id>[A-Za-z0-9_.-]{{1,128}})/(?P<number>[0-9]{{{_NUMBER_DIGITS}}})-"
    rf"(?P<previous>{_DIGEST})-(?P<digest>{_DIGEST})\.jsonl"
)


class JournalPosition(NamedTuple):
    """How far a shard is journaled: the number of its last page, and the SHA-256 of that page."""

    number: int = 0
    digest: str = "0" * 64

    @property
    def text(self) -> str:
        return f"{self.number:0{_NUMBER_DIGITS}d}-{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The position in a text of `text`. Raises ValueError for anything else."""
        said = _POSITION.fullmatch(text)
        if said is None:
            raise ValueError("not a position in a journal")
        return cls(int(said["number"]), said["digest"])


# Before the first page of a shard.
BEGINNING: Final = JournalPosition()


class PageName(NamedTuple):
    """What a page's key says. `previous` is the digest of the page before it."""

    shard_id: str
    position: JournalPosition
    previous: str

    @property
    def key(self) -> str:
        number, digest = self.position
        return f"{key_after(self.shard_id, number)}{self.previous}-{digest}.jsonl"

    @property
    def before(self) -> JournalPosition:
        return JournalPosition(self.position.number - 1, self.previous)

    @classmethod
    def parse(cls, key: str) -> Self:
        """The name in a key. Raises ValueError for a key that no page can have."""
        said = _KEY.fullmatch(key)
        if said is None or int(said["number"]) == 0:
            raise ValueError("not a key of the journal")
        position = JournalPosition(int(said["number"]), said["digest"])
        return cls(said["shard_id"], position, said["previous"])


def shard_prefix(shard_id: str) -> str:
    """The prefix of the keys of all pages of a shard."""
    return f"{FOLDER}/{shard_id}/"


def key_after(shard_id: str, number: int) -> str:
    """A text that sorts before the keys of pages with this number, and after all lower numbers."""
    return f"{shard_prefix(shard_id)}{number:0{_NUMBER_DIGITS}d}-"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A counted segment: window (a quarter's start, UTC) and effect as its mark says, and its log
    object: key, the first version's id, and the bytes, which are ASCII.
    """

    window: datetime
    effect: Effect
    log_key: str
    version_id: str
    body: str

    @property
    def sha256(self) -> str:
        """The hash of the log object's bytes, in hexadecimal. S3 confirmed it before the segment
        was published.
        """
        return sha256(self.body.encode()).hexdigest()

    @property
    def size(self) -> int:
        """The size of the log object in bytes."""
        return len(self.body)


@dataclass(frozen=True, slots=True)
class JournalPage:
    """The counted segments of one batch, in the order of its records, each once.

    `floor`: a quarter's start. Neither this page nor a later one of the shard, or of its children,
    has a segment of an earlier quarter, except as a repeat of a page before.
    """

    shard_id: str
    number: int
    previous: str
    entries: tuple[JournalEntry, ...]
    floor: datetime


def chained(
    shard_id: str, start: JournalPosition, end: JournalPosition, names: Iterable[PageName]
) -> list[PageName]:
    """The pages of a shard after `start`, up to and with `end`, in their order.

    `names`: all pages in between; pages of interrupted attempts are left out. Empty if `end` is
    before `start`. Raises IntegrityError if a page is missing.
    """
    by_position = {name.position: name for name in names}
    found: list[PageName] = []
    position = end
    while position.number > start.number:
        name = by_position.get(position)
        if name is None:
            raise IntegrityError(f"journal of {shard_id}: page {position.text} is missing")
        found.append(name)
        position = name.before
    if position.number == start.number and position != start:
        raise IntegrityError(f"journal of {shard_id}: no page {start.number} has the expected hash")
    return found[::-1]


@dataclass(slots=True)
class Repeats:
    """Recognizes entries that were read before: a segment that is published again comes again.

    Keeps two hashes, a version id and a quarter for each log key: less than 450 bytes.
    """

    second_versions: set[str] = field(default_factory=set)
    """Log keys that were published with several version ids; the first id counts."""
    _seen: dict[bytes, tuple[bytes, str, datetime]] = field(default_factory=dict)

    def is_new(self, entry: JournalEntry) -> bool:
        """Whether the segment comes for the first time. Raises IntegrityError if it came before
        with other contents.
        """
        contents = (rfc3339(entry.window), effect_text(entry.effect), entry.body)
        digest = sha256("\n".join(contents).encode()).digest()
        name = sha256(entry.log_key.encode()).digest()
        seen = self._seen.setdefault(name, (digest, entry.version_id, entry.window))
        if seen[0] != digest:
            raise IntegrityError(f"{entry.log_key}: two entries of the journal differ")
        if seen[1] != entry.version_id:
            self.second_versions.add(entry.log_key)
        return seen[0] is digest

    def forget_before(self, window: datetime) -> None:
        """Forgets the entries of earlier quarters: their repeats are not recognized any more."""
        self._seen = {name: each for name, each in self._seen.items() if each[2] >= window}
