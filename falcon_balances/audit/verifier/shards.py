"""Checks that each manifest goes on in the journals where the manifest before it ended."""

import re
from collections.abc import Mapping
from typing import Any

from .findings import Discrepancy

FIELDS = {"leaf", "shard_id", "after", "until", "open"}
POSITION = re.compile(r"[0-9]{12}-[0-9a-f]{64}\Z")
BEGINNING = f"{0:012}-{0:064}"


class Shards:
    """The journal positions until which the shards are sealed, manifest after manifest."""

    def __init__(self) -> None:
        self._until: dict[str, str] = {}
        self._seen: set[str] = set()

    def problems(self, place: str, leaf: Mapping[str, Any]) -> list[Discrepancy]:
        wrong = self._wrong(leaf)
        return [] if wrong is None else [Discrepancy(place, wrong)]

    def missing(self, place: str) -> list[Discrepancy]:
        """Shards that only the manifest before has; call this after the leaves of each manifest."""
        missing = sorted(self._until.keys() - self._seen)
        self._seen = set()
        return [Discrepancy(place, f"it has no leaf for shard {each}") for each in missing]

    def _wrong(self, leaf: Mapping[str, Any]) -> str | None:
        if set(leaf) != FIELDS or not all(isinstance(each, str) for each in leaf.values()):
            return "not the leaf of a shard"
        if not all(POSITION.match(leaf[each]) for each in ("after", "until", "open")):
            return "a position in a journal does not have the required form"
        shard_id, after, until = leaf["shard_id"], leaf["after"], leaf["until"]
        before = self._until.get(shard_id, BEGINNING)
        is_again = shard_id in self._seen
        self._seen.add(shard_id)
        self._until[shard_id] = until
        if is_again:
            return f"shard {shard_id} has two leaves"
        if after != before:
            return f"`after` of {shard_id} is not `until` of the manifest before"
        if not (leaf["open"][:12] <= until[:12] >= after[:12]):
            return f"the positions of {shard_id} are not in order"
        return None if until == after or until[:12] > after[:12] else "a journal page was replaced"
