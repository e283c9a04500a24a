"""A record as the reducer reads it from its shard."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class StreamRecord:
    data: bytes
    arrived_at: datetime

    @property
    def digest(self) -> str:
        return sha256(self.data).hexdigest()
