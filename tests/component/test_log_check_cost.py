"""A check against the log costs the same, however much was counted of the merchant before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.domain.blocks import LoggedMoney
from falcon_balances.domain.history import Figures
from falcon_balances.domain.table_keys import ItemKey, merchant_pk
from tests.builders import confirmed, reconciled
from tests.component.checking import EUR, MERCHANT, Checked, block_of
from tests.component.ledger import adjustment

SIZES = (10**2, 10**4, 10**6)
KEY = ItemKey(merchant_pk(MERCHANT), EUR.sk)
ADJUSTED = 100  # in minor units, by each earlier operation


def a_day_after(operations: int) -> Checked:
    """A merchant with so many operations of a closed day, and twenty of today, half of which say
    the other stage of operations of that day.
    """
    checked = Checked()
    ledger = checked.ledger.at("2026-11-20T10:00:00")
    ledger.count(adjustment(amount="1.00"))
    ledger.count(*(confirmed(external_reference=f"o-{n}") for n in range(10)))
    checked.close_days("2026-11-21T10:00:00")
    _count_before(checked, operations)
    for event in (confirmed, reconciled):
        first = 10 if event is confirmed else 0
        ledger.count(*(event(external_reference=f"o-{n}") for n in range(first, first + 10)))
    return checked


def _count_before(checked: Checked, operations: int) -> None:
    """As if the adjustment had been counted so many times more, each as an operation of its own."""
    store = checked.ledger.store
    ((mark, said),) = [each for each in store.marks.items() if "#adjustment" in each[0].sk]
    for n in range(operations):
        store.marks[mark._replace(sk=f"OPERATION#{n:032x}#adjustment")] = said
    names = ("adjusted", "available_before_blocks")
    more = dict.fromkeys(names, ADJUSTED * operations) | {"operations_count": operations}
    ((key, closing),) = store.closings.items()
    store.closings[key] = replace(closing, figures=closing.figures + Figures(**more))
    counters = store.counters[KEY]
    for name, amount in more.items():
        own = "available" if name == "available_before_blocks" else name
        counters[own] = counters.get(own, 0) + amount


class Calls:
    """What is asked of the fakes, and how many items or objects each call names or brings."""

    def __init__(self, checked: Checked) -> None:
        ledger = checked.ledger
        self.made: Counter[str] = Counter()
        self.objects: list[int] = []
        self.reads = checked.reads()
        self.reads.interrupt = ledger.store.interrupt = ledger.log.interrupt = self._note
        read_existing = ledger.log.read_existing

        def noted(keys: Sequence[str]) -> object:
            self.objects.append(len(keys))
            return read_existing(keys)

        ledger.log.read_existing = noted  # type: ignore[assignment,method-assign]

    def _note(self, point: str) -> None:
        if point.startswith("before "):
            self.made[point.removeprefix("before ")] += 1


@pytest.mark.parametrize("operations", SIZES)
def test_the_calls_are_the_same_at_any_number_of_operations(operations):
    checked = a_day_after(operations)
    calls = Calls(checked)
    check = LogCheck(checked.ledger.store, checked.ledger.log, lambda _merchant_id: calls.reads)
    money = check.logged_money(block_of(checked.ledger))
    assert money == LoggedMoney(ADJUSTED * (operations + 1) + 10 * 10000, operations + 31)
    assert calls.made == {
        "MemoryBalanceStore.items": 2,
        "MemoryMerchantReads.progress": 1,
        "MemoryMerchantReads.closings": 1,
        "MemoryMerchantReads.marks": 1,
        "MemoryTransactionLog.read_existing": 1,
    }
    assert calls.objects == [30]
