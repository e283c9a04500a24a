"""A record as the reducer reads it from its shard."""

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
        """The same however often the segment is sent, and with whatever links it had; 64 digits.

        Also of a newer version, which has a log key too.
        """
        said = _LOG_KEY.search(self.data)
        return sha256(said[1] if said else self.data).hexdigest()
