"""In-memory files of the reconciler, and bank statements."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from hashlib import sha256
from typing import Any

from falcon_balances.adapters.bank_statements import BankStatementFile, report_key
from falcon_balances.adapters.comparison_files import comparisons_key
from falcon_balances.domain.bank_statement_lines import BankStatementAccount
from falcon_balances.fakes.interruptions import Interrupt, Interruptible, interruptible, never


class MemoryComparisonFiles(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.comparisons: dict[str, bytes] = {}
        self.settled: dict[str, bytes] = {}

    @interruptible
    def last(self) -> tuple[str, bytes] | None:
        return min(self.comparisons.items(), default=None)

    @interruptible
    def append(self, number: int, body: bytes) -> bool:
        return self.comparisons.setdefault(comparisons_key(number), body) == body

    @interruptible
    def settle(self, name: str, body: bytes) -> None:
        self.settled.setdefault(name, body)

    @interruptible
    def read_settled(self, name: str, start: int, end: int) -> bytes:
        return self.settled[name][start:end]


class MemoryBankStatements(Interruptible):
    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.files: dict[str, bytes] = {}
        self.reports: dict[str, Any] = {}

    @interruptible
    def keys(self, since: date) -> Iterator[tuple[str, str]]:
        first: dict[BankStatementAccount, str] = {}
        for key in sorted(self.files):
            file = BankStatementFile.of(key)
            is_first = file is not None and first.setdefault(file.account, key) == key
            if file is None or file.day >= since or is_first:
                yield key, sha256(self.files[key]).hexdigest()

    @interruptible
    def read(self, key: str, bytes_max: int) -> bytes:
        return self.files[key][: bytes_max + 1]

    @interruptible
    def is_reported(self, account: BankStatementAccount, today: date) -> bool:
        return report_key(account, today) in self.reports

    @interruptible
    def report(
        self, account: BankStatementAccount, today: date, document: Mapping[str, Any]
    ) -> str:
        key = report_key(account, today)
        self.reports[key] = json.loads(json.dumps(document))
        return key
