"""The index of a merchant's marks in several partitions, and how they are read as one list.

A partition of an index takes 1,000 write units a second, and one whose sort key only grows cannot
be split. So the marks of a merchant are spread over partitions by their operation.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

# A mark's entry takes one unit, and the shard of a merchant takes 1,000 records a second: with two
# partitions, the shard is full when each of them is at half of its limit.
PARTITIONS: Final = 2


def index_partitions(merchant_id: str) -> list[str]:
    """The partition keys of all marks of a merchant."""
    return [f"{merchant_id}#{number}" for number in range(PARTITIONS)]


def index_partition(merchant_id: str, falcon_operation_id: str) -> str:
    """The partition key of the marks of an operation, whose id ends in a random digit."""
    return f"{merchant_id}#{ord(falcon_operation_id[-1]) % PARTITIONS}"


class Bounds(NamedTuple):
    """The first and the last order to read, both included."""

    first: str
    last: str

    @property
    def is_empty(self) -> bool:
        return self.first > self.last


def bounds_after(start: str, end: str, after: str | None, *, newest_first: bool) -> Bounds:
    """The bounds of the orders that follow `after`. If the newest come first, the bounds include
    `after`.
    """
    if after is None:
        return Bounds(start, end)
    if newest_first:
        return Bounds(start, min(end, after))
    # No order continues another one with a character before this one.
    return Bounds(max(start, f"{after}!"), end)


class SeenOrders(NamedTuple):
    """The orders that a partition gave, and the last one that was looked at; None if no order
    follows.
    """

    orders: Sequence[str]
    looked_at: str | None


class Tagged(NamedTuple):
    """`seen`: the order up to which nothing was passed over; None if no order follows."""

    orders: list[str]
    seen: str | None


def merged_until_seen(
    found: Sequence[SeenOrders], after: str | None, limit: int, *, newest_first: bool
) -> Tagged:
    """The next `limit` orders, as far as every partition was looked at."""
    ends = [each.looked_at for each in found if each.looked_at is not None]
    seen = (max if newest_first else min)(ends, default=None)
    every = sorted(
        (each for part in found for each in part.orders if each != after), reverse=newest_first
    )
    if seen is not None:
        every = [each for each in every if (each >= seen if newest_first else each <= seen)]
    if len(every) > limit:
        return Tagged(every[:limit], every[limit - 1])
    return Tagged(every, seen)


class OrderPage(NamedTuple):
    orders: list[str]
    is_last: bool


def merged(
    found: Sequence[Sequence[str]], after: str | None, limit: int, *, newest_first: bool
) -> OrderPage:
    """The next `limit` orders of all partitions. `found` has, for each partition, all orders that
    are left, or at least `limit` + 2 of them.
    """
    every = sorted((each for part in found for each in part if each != after), reverse=newest_first)
    return OrderPage(every[:limit], is_last=len(every) <= limit)
