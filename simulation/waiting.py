"""What waits in simulated time, and what grows by itself under load."""

from collections import deque
from heapq import heappop, heappush
from math import inf
from typing import Final, NamedTuple

_BACKOFF_S: Final = (30, 120, 480, 1_800)
"""When a message that failed comes back; the last one for ever."""


class Group(NamedTuple):
    """Messages that arrived together, and how often they were received."""

    arrived_s: float
    messages: float
    receives: int


class OnDemand:
    """What grows by itself to twice what it had to take, once in each period."""

    def __init__(self, first: float, most: float, period_s: float) -> None:
        self.allowed = first
        self._most = most
        self._period_s = period_s
        self._until = period_s
        self._peak = 0.0

    def take(self, now: float, asked: float) -> None:
        self._peak = max(self._peak, min(asked, self.allowed))
        if now >= self._until:
            self.allowed = min(self._most, max(self.allowed, 2 * self._peak))
            self._until, self._peak = now + self._period_s, 0.0


class Waiting:
    """Messages in their order. Those that failed come back later."""

    def __init__(self) -> None:
        self._ready: deque[Group] = deque()
        self._later: list[tuple[float, Group]] = []
        self.count = 0.0
        self.hidden = 0.0
        """Those that come back later."""
        self.receives_max = 0

    def add(self, arrived_s: float, count: float) -> None:
        self._ready.append(Group(arrived_s, count, 0))
        self.count += count

    def come_back(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, group = heappop(self._later)
            self._ready.appendleft(group)
            self.count += group.messages
            self.hidden -= group.messages

    def take(self, count: float) -> list[Group]:
        """The first so many; what is taken was received once more."""
        taken = []
        while count > 0 and self._ready:
            first = self._ready.popleft()
            part = min(first.messages, count)
            taken.append(Group(first.arrived_s, part, first.receives + 1))
            if part < first.messages:
                self._ready.appendleft(first._replace(messages=first.messages - part))
            count -= part
            self.count -= part
        if not self._ready:
            self.count = 0.0
        return taken

    def refuse(self, now: float, some: list[Group]) -> None:
        for group in some:
            delay_s = _BACKOFF_S[min(group.receives, len(_BACKOFF_S)) - 1]
            heappush(self._later, (now + delay_s, group))
            self.hidden += group.messages
            self.receives_max = max(self.receives_max, group.receives)

    @property
    def oldest_s(self) -> float:
        """When the first of all arrived; infinity if nothing waits."""
        of_later = min((group.arrived_s for _, group in self._later), default=inf)
        return min(self._ready[0].arrived_s if self._ready else inf, of_later)
