"""Looks for findings in the sales and operations of a counted batch.

A repeated batch finds the same: each write follows from the items that were read, and happens only
while they are unchanged.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from falcon_balances.adapters.ports import BalanceStore, TryAgain
from falcon_balances.adapters.retries import delays
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.findings import Finding, findings_of_sale, findings_of_standing
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.known_findings import (
    Contradiction,
    Subject,
    contradiction_writes,
    finding_writes,
)
from falcon_balances.domain.sale_keys import SALE_KEYS
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import PutMark, TableWrite
from falcon_balances.observability import metrics

ATTEMPTS: Final = 6
_FIRST_DELAY_S: Final = 0.05
_KEYS_PER_GET: Final = 100  # of BatchGetItem


@dataclass(frozen=True, slots=True)
class Looking:
    store: BalanceStore
    wait: Callable[[float], object]

    def at_items(self, touched: Mapping[ItemKey, datetime]) -> None:
        """Looks at sales and standings. `touched`: the arrival of the last record to touch each."""
        keys = sorted(touched)
        for start in range(0, len(keys), _KEYS_PER_GET):
            some = keys[start : start + _KEYS_PER_GET]
            for key, said in self.store.items(some).items():
                self._at(key, said, rfc3339(touched[key]))

    def _at(self, key: ItemKey, said: Mapping[str, str | int], opened_at: str) -> None:
        for delay_s in delays(ATTEMPTS, _FIRST_DELAY_S):
            subject, found = _look(key, said)
            writes = finding_writes(subject, found, opened_at)
            if not writes:
                return
            if not self.store.transact(writes):
                _count(sum(isinstance(write, PutMark) for write in writes))
                return
            self.wait(delay_s)
            said = self.store.items([key])[key]
        raise TransientError(f"{key.sk}: gave up after {ATTEMPTS} conflicting transactions")

    def at_contradictions(self, said: Iterable[tuple[Contradiction, datetime]]) -> None:
        for contradiction, arrived_at in said:
            for write in contradiction_writes(contradiction, rfc3339(arrived_at)):
                if self._put(write) and contradiction.is_open:
                    _count(1)

    def _put(self, write: TableWrite) -> bool:
        """Stores the finding; False if the table already has it, or a newer state of it."""
        for delay_s in delays(ATTEMPTS, _FIRST_DELAY_S):
            outcomes: Sequence[object] = self.store.transact([write])
            if not any(isinstance(each, TryAgain) for each in outcomes):
                return not outcomes
            self.wait(delay_s)
        raise TransientError(f"{write.key.sk}: gave up after {ATTEMPTS} conflicting transactions")


def _look(key: ItemKey, said: Mapping[str, str | int]) -> tuple[Subject, list[Finding]]:
    version, found = int(said["version"]), str(said.get("found", ""))
    if key.sk.startswith(SALE_KEYS):
        sale = Sale.from_attributes(key, said)
        subject = Subject(key, version, found, sale.sale.psp_id, sale.sale.reference)
        return subject, findings_of_sale(sale)
    standing = Standing.from_attributes(key, said)
    names = (standing.psp_id, standing.external_reference)
    return Subject(key, version, found, *names), findings_of_standing(standing)


def _count(opened: int) -> None:
    if opened:
        metrics.add_metric(name="FindingsOpened", unit="Count", value=opened)
