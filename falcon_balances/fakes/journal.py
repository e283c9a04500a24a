"""An in-memory journal: pages that are written once and listed by number."""

from collections.abc import Iterator

from falcon_balances.adapters.journal import named
from falcon_balances.contracts.journal_pages import WrittenPage
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.journal import PageName, key_after, shard_prefix
from falcon_balances.fakes.interruptions import Interrupt, Interruptible, interruptible, never


class MemoryJournal(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.objects: dict[str, bytes] = {}

    @interruptible
    def write(self, page: WrittenPage) -> None:
        self.objects.setdefault(page.name.key, page.body)

    @interruptible
    def names(self, shard_id: str, after: int) -> Iterator[PageName]:
        prefix, start = shard_prefix(shard_id), key_after(shard_id, after + 1)
        return (named(key) for key in sorted(self.objects) if key.startswith(prefix) if key > start)

    @interruptible
    def read(self, name: PageName) -> bytes:
        try:
            return self.objects[name.key]
        except KeyError:
            raise TransientError(f"read {name.key}: NoSuchKey") from None
