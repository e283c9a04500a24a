"""A record of a shard, as the reducer reads it."""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

_LOG_KEY: Final = re.compile(rb'"log_key":"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class StreamRecord:
    data: bytes
    arrived_at: datetime

    @property
    def name(self) -> str:
        """The name of a record (64 digits). It stays the same however often the segment is sent,
        and with any links.

        Records of newer versions have a name too, because they have a log key.
        """
        said = _LOG_KEY.search(self.data)
        return sha256(said[1] if said else self.data).hexdigest()
