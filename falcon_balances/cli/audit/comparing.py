"""`falcon audit compare`: compares the log with table and API, and waits for events in progress."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.audit.balances import FigureDifference, balances_of, differences, read_document
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import Replayed
from falcon_balances.cli import api
from falcon_balances.cli.target import Target
from falcon_balances.domain.balances import Balance

TABLE = "table"
API = "api"
_PAUSE_S = 1.0
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Differing:
    other_side: str
    difference: FigureDifference


@dataclass(frozen=True, slots=True)
class Compared:
    balances: int
    differing: Sequence[Differing]
    findings: Sequence[LogFinding]


class Comparison:
    """`replay` gives everything that is counted by then, of one merchant or of all."""

    def __init__(
        self, target: Target, replay: Callable[[Selection], Replayed], *, with_api: bool
    ) -> None:
        self._target = target
        self._replay = replay
        self._sides = [TABLE, API] if with_api else [TABLE]
        self._store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)

    def run(self, merchant_id: str | None, timeout_s: float) -> Compared:
        """Compares once, then repeats merchants that differ until they agree or time is up."""
        deadline = time.monotonic() + timeout_s
        compared = self._compare(merchant_id)
        differing, findings = list(compared.differing), list(compared.findings)
        while differing and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
            merchants = sorted({each.difference.balance.merchant_id for each in differing})
            again = [self._compare(each) for each in merchants]
            differing = [each for one in again for each in one.differing]
            findings = sorted({*findings, *(each for one in again for each in one.findings)})
        return Compared(compared.balances, differing, findings)

    def _compare(self, merchant_id: str | None) -> Compared:
        replayed = self._replay(Selection(merchant_id=merchant_id))
        log = balances_of(replayed.sums, replayed.agreements)
        merchants = sorted({each.merchant_id for each in log})
        found = []
        for side in self._sides:
            said = (
                self._of_table(merchant_id)
                if side == TABLE
                else self._of_api(merchants if merchant_id is None else [merchant_id])
            )
            found += [Differing(side, each) for each in differences(log, said)]
        return Compared(len(log), found, replayed.findings)

    def _of_table(self, merchant_id: str | None) -> Iterable[tuple[str, Balance]]:
        if merchant_id is None:
            return self._store.all_balances()
        return [(merchant_id, balance) for balance in self._store.balances(merchant_id)]

    def _of_api(self, merchants: Iterable[str]) -> Iterable[tuple[str, Balance]]:
        for merchant_id in merchants:
            path = f"systems/merchants/{quote(merchant_id, safe='')}/balances"
            answer = api.call(self._target, "GET", path)
            if answer.status == _NOT_FOUND:
                continue
            if not answer.is_ok:
                raise answer.refusal()
            for row in answer.document["balances"]:
                yield merchant_id, read_document(row)
