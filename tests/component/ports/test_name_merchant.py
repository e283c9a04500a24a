"""What is known of a merchant, in memory and in DynamoDB: it is added to and never taken from."""

from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any

import pytest

from falcon_balances.adapters import merchant_directory
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.directory_ports import MerchantDirectory
from falcon_balances.adapters.merchant_directory import (
    CACHED_S,
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.domain.merchant_context import ContextKey, Merchant, merchants_of
from falcon_balances.fakes.interruptions import never
from falcon_balances.fakes.storage import MemoryMerchantDirectory
from inprocess.aws import CONTEXT_TABLE
from tests.builders import context_of

EUR, JPY, OTHER_EUR = ("bs-eur", "EUR"), ("bs-jpy", "JPY"), ("bs-other", "EUR")
RISKY, ALSO_RISKY = (ContextKey("payu-ro", name, f"shop-{name}") for name in ("1", "2"))


def merchant(*balances: tuple[str, str], risky: tuple[ContextKey, ...] = ()) -> Merchant:
    return Merchant(frozenset(balances), frozenset(risky))


def known(directory, merchant_id: str = "m-1") -> Merchant | None:
    found: Mapping[str, Merchant] = directory.merchants([merchant_id])
    return found.get(merchant_id)


def test_a_merchant_is_known_as_it_was_named(directory):
    named = merchant(EUR, JPY, risky=(RISKY,))
    directory.name_merchant("m-1", named)
    assert directory.merchants(["m-1"]) == {"m-1": named}


def test_unknown_merchants_are_missing_from_the_answer(directory):
    directory.name_merchant("m-1", merchant(EUR))
    assert directory.merchants(["m-2", "m-1", "m"]) == {"m-1": merchant(EUR)}
    assert directory.merchants(["m-2"]) == {}
    assert directory.merchants([]) == {}


STEPS = [
    merchant(EUR),
    merchant(JPY, EUR),
    merchant(OTHER_EUR, risky=(RISKY,)),
    merchant(EUR, risky=(ALSO_RISKY,)),
]
ALL = merchant(EUR, JPY, OTHER_EUR, risky=(RISKY, ALSO_RISKY))


def test_naming_adds_and_never_takes_away(directory):
    balances: set[tuple[str, str]] = set()
    risky: set[ContextKey] = set()
    for step in STEPS:
        directory.name_merchant("m-1", step)
        balances |= step.balances
        risky |= step.high_risk_keys
        assert known(directory) == Merchant(frozenset(balances), frozenset(risky))
    assert known(directory) == ALL


def test_no_order_of_naming_and_no_repeat_changes_what_is_known(directory):
    for n, order in enumerate(permutations(STEPS)):
        for step in (*order, order[0]):
            directory.name_merchant(f"m-{n}", step)
    named = directory.merchants([f"m-{n}" for n in range(24)])
    assert named == {f"m-{n}": ALL for n in range(24)}


def test_a_merchant_that_was_once_of_high_risk_stays_so(directory):
    found = []
    for said in (merchant(EUR), merchant(EUR, risky=(RISKY,)), merchant(EUR)):
        directory.name_merchant("m-1", said)
        found.append(directory.merchants(["m-1"])["m-1"].is_high_risk)
    assert found == [False, True, True]


def test_the_same_shop_in_another_currency_is_another_balance(directory):
    found = []
    for code in ("EUR", "JPY"):
        directory.name_merchant("m-1", merchant(("bs-1", code)))
        now = directory.merchants(["m-1"])["m-1"]
        found.append([now.has("bs-1", "EUR"), now.has("bs-1", "JPY"), now.has("EUR", "bs-1")])
    assert found == [[True, False, False], [True, True, False]]


def test_merchants_are_kept_apart_and_more_than_one_call_takes_are_answered_in_one(directory):
    named = {f"m-{n}": merchant((f"bs-{n}", "EUR")) for n in range(105)}
    for merchant_id, said in named.items():
        directory.name_merchant(merchant_id, said)
    assert directory.merchants(named.keys()) == named


def test_merchants_and_contexts_lie_side_by_side(directory):
    context = context_of()
    directory.replace(context.key, (), [context])
    assert directory.merchants([context.merchant_id]) == {}
    for merchant_id, said in merchants_of([context]).items():
        directory.name_merchant(merchant_id, said)
    expected = merchant(("bs-5553-eur", "EUR"), ("bs-5553-jpy", "JPY"))
    assert known(directory, "m-5553") == expected
    assert directory.context_of(context.key, "m-5553") == ([context], expected)
    assert directory.histories([context.key]) == {context.key: [context]}


class MeetingClient:
    """A client whose first call, whatever it is, has others right before and right after it."""

    def __init__(self, others: Callable[[], object]) -> None:
        self._others, self._is_alone = others, True

    def __getattr__(self, name: str) -> Any:
        call = getattr(client("dynamodb"), name)

        def met(**said: Any) -> Any:
            is_first, self._is_alone = self._is_alone, False
            if is_first:
                self._others()
            answer = call(**said)
            if is_first:
                self._others()
            return answer

        return met


def meeting(directory, others: Callable[[], object]) -> MerchantDirectory:
    """The same directory for one who meets others at the first call."""
    if not isinstance(directory, MemoryMerchantDirectory):
        return DynamoMerchantDirectory(MeetingClient(others), CONTEXT_TABLE)  # type: ignore[arg-type]

    def interrupt(_point: str) -> None:
        met.interrupt = never
        others()
        met.interrupt = interrupt

    met = MemoryMerchantDirectory(interrupt)
    met.named = directory.named
    return met


def test_loads_that_meet_all_add(directory):
    left = [merchant(JPY), merchant(OTHER_EUR, risky=(RISKY,))]
    ours = meeting(directory, lambda: directory.name_merchant("m-1", left.pop()))
    ours.name_merchant("m-1", merchant(EUR, risky=(ALSO_RISKY,)))
    assert left == []
    assert known(directory) == ALL


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """One number of seconds, as the cache reads them."""
    now = [1000.0]
    monkeypatch.setattr(merchant_directory, "monotonic", lambda: now[0])
    return now


def test_a_known_merchant_s_new_balance_is_known_at_once(directory, clock):
    """A context may be remembered for a minute: a payout on a new balance would be refused."""
    directory.name_merchant("m-1", merchant(EUR))
    cached = CachedMerchantDirectory(directory)
    assert known(cached) == merchant(EUR)
    directory.name_merchant("m-1", merchant(JPY))
    clock[0] += CACHED_S / 2
    assert known(cached) == merchant(EUR, JPY)


def test_an_unknown_merchant_is_asked_for_again_at_once(directory, clock):
    cached = CachedMerchantDirectory(directory)
    assert known(cached) is None
    directory.name_merchant("m-1", merchant(EUR))
    assert known(cached) == merchant(EUR)
