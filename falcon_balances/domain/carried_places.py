"""Which leaves a manifest repeats although their merchants did not move.

Without repeated leaves, a merchant's leaf is in whichever manifest it last moved: a night of
a thousand merchants reads from more manifests the older the log is. Each manifest repeats the
leaves of the next places, at most 2 for each merchant that moved: so every line that the next
manifest needs is in the last 8, or in the last (number of merchants / 2 / merchants that move).
"""

import re
from typing import Final, NamedTuple

_DIGITS: Final = 8
_START: Final = re.compile(rf"[0-9a-f]{{{_DIGITS}}}\Z")
_SPACE: Final = 16**_DIGITS
_TURN: Final = 8
_PER_MOVED: Final = 2
_END: Final = "g"  # after every digit
BEGINNING: Final = "0" * _DIGITS


class Places(NamedTuple):
    """The places from `start` on and before `end`, each given by its first digits."""

    start: str
    end: str

    def meet(self, prefix: str) -> bool:
        """Whether some of the places with this prefix are among them."""
        first, last = prefix.ljust(_DIGITS, "0"), prefix.ljust(_DIGITS, "f")
        return self.start < self.end and self.start <= last and first < self.end

    @property
    def next_start(self) -> str:
        """Where the manifest after this one begins; after the last place, the first comes again."""
        return BEGINNING if self.end == _END else self.end


NO_PLACES: Final = Places("", "")


def places_to_carry(start: str, moved: int, merchants: int) -> Places:
    """An eighth of all places at most, and about two merchants' for each that moved."""
    first = int(start, 16)
    width = min(_SPACE // _TURN, _SPACE * _PER_MOVED * moved // max(merchants, 1))
    end = first + width
    return Places(start, f"{end:0{_DIGITS}x}" if end < _SPACE else _END)


def start_of(text: str) -> str:
    """A start that a manifest names. Raises TypeError or ValueError for anything else."""
    if _START.match(text) is None:
        raise ValueError("not the first digits of a place")
    return text
