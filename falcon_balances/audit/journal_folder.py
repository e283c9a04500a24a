"""The journal in a folder, as `falcon audit fetch` copies it: every page a file under its key."""

from collections.abc import Iterator
from pathlib import Path

from falcon_balances.adapters.journal import named
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.journal import PageName, shard_prefix


class JournalFolder:
    """Reads only."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, shard_id: str, after: int) -> Iterator[PageName]:
        """Lists all pages of the shard, also those up to `after`: a folder has no place to begin.

        Memory: 300 bytes for each page of the shard.
        """
        prefix = shard_prefix(shard_id)
        folder = self._root / prefix
        keys = (
            sorted(f"{prefix}{each.name}" for each in folder.iterdir()) if folder.is_dir() else ()
        )
        return (name for name in map(named, keys) if name.position.number > after)

    def read(self, name: PageName) -> bytes:
        try:
            return self.path(name).read_bytes()
        except OSError as error:
            raise IntegrityError(f"{name.key}: {error.strerror or 'cannot be read'}") from error

    def path(self, name: PageName) -> Path:
        return self._root / name.key
