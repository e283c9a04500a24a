"""How far the journal of each shard is sealed, as each manifest says it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from falcon_balances.domain.journal import BEGINNING, JournalPosition


class SealedShard(NamedTuple):
    """The pages of a shard up to and including `sealed` are sealed. `open` is `sealed` or an
    earlier page: the pages after `open` have entries of quarters that were still open, which may
    come again.
    """

    open: JournalPosition = BEGINNING
    sealed: JournalPosition = BEGINNING


SealedShards = Mapping[str, SealedShard]


def shard_leaves(before: SealedShards, now: SealedShards) -> Iterator[dict[str, Any]]:
    """A leaf for each shard that was ever read: less than 600 bytes each.

    A position names its page by its hash, and each page names the one before it. So the leaf pins
    every page after `after`, up to and with `until`.
    """
    for shard_id, shard in sorted(now.items()):
        yield {
            "leaf": "shard",
            "shard_id": shard_id,
            "after": before.get(shard_id, SealedShard()).sealed.text,
            "until": shard.sealed.text,
            "open": shard.open.text,
        }


def read_shards(leaves: Iterable[Mapping[str, Any]]) -> SealedShards:
    """The shards in leaves of `shard_leaves`. Raises KeyError, TypeError or ValueError."""
    return {
        each["shard_id"]: SealedShard(
            JournalPosition.parse(each["open"]), JournalPosition.parse(each["until"])
        )
        for each in leaves
        if each["leaf"] == "shard"
    }
