"""Ports of the reconciler: its own files, and the bank statements."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Protocol

from falcon_balances.domain.bank_statement_lines import BankStatementAccount


class ComparisonFiles(Protocol):
    def last(self) -> tuple[str, bytes] | None:
        """Name and bytes of the comparisons with the highest number."""

    def append(self, number: int, body: bytes) -> bool:
        """Writes the comparisons of this number; False if others have it already."""

    def settle(self, name: str, body: bytes) -> None:
        """Writes a file of settled cases, unless it exists: its hash is its name."""

    def read_settled(self, name: str, start: int, end: int) -> bytes:
        """The bytes from `start` and before `end`."""


class BankStatements(Protocol):
    def keys(self, since: date) -> Iterator[tuple[str, str]]:
        """The key of each file of days from `since` on, with its ETag; an older one of each account
        that has any, maybe more; and keys outside the folders of days.
        """

    def read(self, key: str, bytes_max: int) -> bytes:
        """The newest version's bytes; of a larger file only the first `bytes_max` + 1."""

    def is_reported(self, account: BankStatementAccount, today: date) -> bool:
        """Whether there is a report of this day."""

    def report(
        self, account: BankStatementAccount, today: date, document: Mapping[str, Any]
    ) -> str:
        """Writes the report; another one of the same day replaces it. Returns its key."""
