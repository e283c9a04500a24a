"""In-memory closings, and the balances that moved on a day, over the in-memory table."""

from collections.abc import Callable, Iterable, Iterator, Set
from datetime import datetime

from falcon_balances.adapters.past_ports import MovedOnDay
from falcon_balances.domain.closings import ClosedDay, Closing, MovedBalance, day_of
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.past_keys import WINDOW_KEYS, ClosingKey, WindowKey
from falcon_balances.domain.table_keys import ItemKey, merchant_pk, parse_merchant_pk
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.interruptions import Interruptible, interruptible


class MemoryClosings(Interruptible):
    def __init__(self, store: MemoryBalanceStore) -> None:
        super().__init__(store.interrupt)
        self._store = store

    @interruptible
    def closed_day(self) -> ClosedDay:
        return self._store.closed_day

    @interruptible
    def put(self, merchant_id: str, closing: Closing) -> Closing | None:
        key = ItemKey(merchant_pk(merchant_id), ClosingKey(closing.balance, closing.day).sk)
        existing = self._store.closings.get(key)
        self._store.closings.setdefault(key, closing)
        return existing

    @interruptible
    def noted(self, day: str) -> Set[MovedBalance]:
        return frozenset(self._store.moved.get(day, ()))

    @interruptible
    def note(self, day: str, balances: Iterable[MovedBalance]) -> None:
        self._store.moved.setdefault(day, set()).update(balances)

    @interruptible
    def pause(self, closed: ClosedDay) -> None:
        if closed.read_until is not None and self._store.closed_day.day == closed.day:
            self._store.closed_day = closed

    @interruptible
    def advance(self, closed: str | None, following: ClosedDay) -> None:
        if self._store.closed_day.day == closed:
            self._store.closed_day = following


class MemoryMovedBalances(Interruptible):
    """The balances that moved, from what the table counted, as the journal would name them."""

    """`is_over`: whether the run's time is used up."""

    def __init__(
        self, store: MemoryBalanceStore, is_over: Callable[[], bool] = lambda: False
    ) -> None:
        super().__init__(store.interrupt)
        self._store = store
        self._is_over = is_over

    @interruptible
    def first_day(self) -> str | None:
        return self._first_day()

    def _first_day(self) -> str | None:
        return min((start[:10] for _, start in self._windows()), default=None)

    def _windows(self) -> Iterator[tuple[MovedBalance, str]]:
        for key in self._store.counters:
            if key.sk.startswith(WINDOW_KEYS):
                balance, start = WindowKey.parse(key.sk)
                yield MovedBalance(parse_merchant_pk(key.pk), balance), start

    @interruptible
    def between(self, since: datetime, until: datetime, journal: str) -> MovedOnDay:
        """Refuses to pass over quarters, or to read them twice, as the journal would."""
        if journal not in ("", _until(since)) or (
            not journal and day_of(since) != self._first_day()
        ):
            raise IntegrityError(f"the journal was not read until {since}")
        end = since if self._is_over() else until
        window_of = {(moved, parse_rfc3339(start)) for moved, start in self._windows()}
        balances = {moved for moved, start in window_of if since <= start < end}
        return MovedOnDay(balances, _until(end), end)


def _until(moment: datetime) -> str:
    return f"until {rfc3339(moment)}"
