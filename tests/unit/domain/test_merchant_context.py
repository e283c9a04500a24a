from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from falcon_balances.domain.fees import Fee
from falcon_balances.domain.merchant_context import (
    NOTICE,
    VERSIONS_MAX,
    ContextKey,
    MerchantContext,
    extended,
    handovers,
    in_force,
)
from falcon_balances.domain.operations import OperationType

KEY = ContextKey("psp-1", "5553", "shop-a")
JANUARY, MARCH, JUNE = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 6))
ONE_SECOND = timedelta(seconds=1)


def version(merchant_id: str, effective_from: datetime, status: str = "active") -> MerchantContext:
    return MerchantContext(KEY, merchant_id, {"EUR": "bs"}, status, effective_from)  # type: ignore[arg-type]


HISTORY = [version("first", JANUARY), version("second", MARCH), version("third", JUNE)]


@pytest.mark.parametrize(
    ("at", "merchant_id"),
    [
        (datetime.min.replace(tzinfo=UTC), None),
        (JANUARY - ONE_SECOND, None),
        (JANUARY, "first"),
        (MARCH - ONE_SECOND, "first"),
        (MARCH, "second"),
        (MARCH + ONE_SECOND, "second"),
        (JUNE - ONE_SECOND, "second"),
        (JUNE, "third"),
        (datetime.max.replace(tzinfo=UTC), "third"),
    ],
)
def test_a_version_counts_from_its_first_second_until_the_next_ones(at, merchant_id):
    found = in_force(HISTORY, at)
    assert (found.merchant_id if found else None) == merchant_id


def test_without_versions_nothing_is_in_force():
    assert in_force([], MARCH) is None


@pytest.mark.parametrize(
    ("status", "event_type", "refused"),
    [
        ("active", "capture", False),
        ("active", "cashback", False),
        ("inactive", "capture", True),
        ("inactive", "cashback", True),
        ("inactive", "refund", False),
        ("inactive", "chargeback", False),
        ("inactive", "chargeback_reversal", False),
    ],
)
def test_inactive_refuses_captures_and_cashbacks_only(status, event_type, refused):
    context = version("m", JANUARY, status)
    assert context.refuses(OperationType(event_type)) is refused


def test_keys_never_read_alike():
    assert str(KEY) == "psp-1|5553|shop-a"
    assert str(ContextKey("a", "b.c", "d")) != str(ContextKey("a.b", "c", "d"))


NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_a_first_load_may_hold_a_history_in_any_order():
    assert extended([], [HISTORY[1], HISTORY[2], HISTORY[0]], NOW) == HISTORY


def test_the_same_version_again_is_nothing_new_even_if_it_lies_in_the_past():
    again = version("first", JANUARY)
    assert extended(HISTORY, [again, again], NOW) == HISTORY
    assert extended([], [again, version("first", JANUARY)], NOW) == [again]


@pytest.mark.parametrize("history", [HISTORY, []])
def test_another_content_under_a_known_date_is_refused(history):
    with pytest.raises(ValueError, match=r"^effective_from: already loaded with other content"):
        extended(history, [version("first", JANUARY), version("other", JANUARY)], NOW)


@pytest.mark.parametrize(
    ("effective_from", "is_taken"),
    [
        (NOW + NOTICE, True),
        (NOW + NOTICE + ONE_SECOND, True),
        (NOW + NOTICE - ONE_SECOND, False),
        (NOW, False),
        (JANUARY - ONE_SECOND, False),  # before all others, so it would change the past too
        (MARCH + ONE_SECOND, False),
    ],
)
def test_a_later_version_starts_at_least_20_minutes_after_it_is_loaded(effective_from, is_taken):
    later = version("later", effective_from)
    if is_taken:
        assert later in extended(HISTORY, [later], NOW)
        return
    with pytest.raises(ValueError, match=r"^effective_from: a later version must start"):
        extended(HISTORY, [later], NOW)


def test_loading_more_never_changes_what_was_in_force():
    longer = extended(HISTORY, [version("later", NOW + NOTICE)], NOW)
    for days in range(-10, 200):
        at = JANUARY + timedelta(days=days)
        assert at >= NOW + NOTICE or in_force(longer, at) == in_force(HISTORY, at)


def test_a_key_has_at_most_so_many_versions():
    many = [version("m", JANUARY + n * ONE_SECOND) for n in range(VERSIONS_MAX)]
    assert len(extended([], many, NOW)) == VERSIONS_MAX
    with pytest.raises(ValueError, match=r"^effective_from: more than"):
        extended([], [*many, version("m", JUNE)], NOW)


def fee(**amounts: Any) -> Fee:
    return Fee(OperationType.CAPTURE, 1_000_000, **amounts)


LOADED = replace(version("first", JANUARY), fees=(fee(fixed={"EUR": 10}),))
TWO = {"EUR": "bs", "USD": "bs-usd"}
WIDER = replace(LOADED, balance_shops=TWO)


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        ({}, True),
        ({"balance_shops": {"USD": "bs", "EUR": "bs"}}, True),
        ({"fees": (fee(fixed={"EUR": 10, "USD": 12}, minimum={"USD": 1}),)}, True),
        ({"fees": (fee(fixed={"EUR": 10}, maximum={"USD": 1}),)}, True),
        ({"balance_shops": {"EUR": "other", "USD": "bs-usd"}}, False),
        ({"balance_shops": {"USD": "bs-usd"}}, False),  # takes EUR away
        ({"balance_shops": {"EUR": "bs"}, "merchant_id": "other"}, False),
        ({"merchant_id": "other"}, False),
        ({"status": "inactive"}, False),
        ({"risk": "high"}, False),
        ({"fees": ()}, False),
        ({"fees": (fee(fixed={"EUR": 10}), fee(fixed={"USD": 1}))}, False),
        ({"fees": (fee(fixed={"EUR": 11}),)}, False),
        ({"fees": (fee(fixed={"USD": 10}),)}, False),
        ({"fees": (fee(fixed={"EUR": 10}, minimum={"EUR": 1}),)}, False),
        ({"fees": (fee(fixed={"EUR": 10, "JPY": 1}),)}, False),  # no balance in JPY comes with it
        ({"fees": (replace(LOADED.fees[0], percent_millionths=1),)}, False),
        ({"fees": (replace(LOADED.fees[0], on=OperationType.REFUND),)}, False),
    ],
)
def test_a_loaded_version_may_grow_by_currencies_and_by_nothing_else(changes, is_taken):
    later = version("second", JUNE)
    form = replace(WIDER, **changes)
    if is_taken:
        assert extended([LOADED, later], [form], NOW) == [LOADED, form, later]
        return
    with pytest.raises(ValueError, match="only currencies can be added"):
        extended([LOADED, later], [form], NOW)


def test_the_widest_form_of_a_version_is_in_force_for_the_past_too():
    history = extended([LOADED, version("second", JUNE)], [WIDER], NOW)
    for at, expected in ((JANUARY, WIDER), (JUNE - ONE_SECOND, WIDER), (JUNE, history[-1])):
        assert in_force(history, at) == expected


def test_every_form_that_was_loaded_may_be_loaded_again():
    widest = replace(WIDER, balance_shops=TWO | {"JPY": "bs-jpy"})
    history = extended([], [LOADED, WIDER, widest], NOW)
    assert history == [LOADED, WIDER, widest]
    assert extended(history, [LOADED, widest, WIDER], NOW) == history


def test_a_form_that_was_never_loaded_and_says_less_is_refused():
    for history, versions in (([WIDER], [LOADED]), ([], [WIDER, LOADED])):
        with pytest.raises(ValueError, match="only currencies can be added"):
            extended(history, versions, NOW)


def test_of_two_forms_that_say_different_things_the_second_is_refused():
    other = replace(LOADED, balance_shops={"EUR": "bs", "JPY": "bs-jpy"})
    with pytest.raises(ValueError, match="only currencies can be added"):
        extended([LOADED, WIDER], [other], NOW)


def test_forms_count_against_the_versions_of_a_key():
    many = [version("m", JANUARY + n * ONE_SECOND) for n in range(VERSIONS_MAX)]
    with pytest.raises(ValueError, match=r"^effective_from: more than"):
        extended(many, [replace(many[0], balance_shops=TWO)], NOW)


def test_a_version_is_named_by_what_it_says_in_whatever_order():
    name, digest = LOADED.claimed_as.split("#")
    assert name == "psp-1|5553|shop-a@2026-01-01T00:00:00Z"
    assert digest == "b3a77ff2e8c1493ceaedd50c0f11727768fd4d32199761bf7d337fce04321cc3"
    assert LOADED.logged_as == f"2026-01-01T00:00:00Z#{digest[:16]}"
    turned = replace(WIDER, balance_shops=dict(reversed(TWO.items())))
    assert turned.claimed_as == WIDER.claimed_as


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ContextKey("psp-1", "5553", "shop-b")},
        {"merchant_id": "other"},
        {"balance_shops": TWO},
        {"status": "inactive"},
        {"effective_from": MARCH},
        {"fees": ()},
        {"fees": (fee(minimum={"EUR": 10}),)},
        {"fees": (replace(LOADED.fees[0], percent_millionths=1),)},
        {"risk": "high"},
    ],
)
def test_whatever_is_said_otherwise_gives_another_hash(changes):
    assert replace(LOADED, **changes).content_hash != LOADED.content_hash


def moved(history: list[MerchantContext], versions: list[MerchantContext]) -> list[tuple[str, ...]]:
    found = handovers(history, extended(history, versions, NOW))
    return [(each.old_merchant_id, each.new_merchant_id) for each in found]


@pytest.mark.parametrize(
    ("history", "versions", "expected"),
    [
        ([], HISTORY, [("first", "second"), ("second", "third")]),
        (HISTORY, HISTORY, []),
        (HISTORY[:2], HISTORY[2:], [("second", "third")]),
        (HISTORY[:2], [version("second", JUNE)], []),
        (HISTORY[:2], [version("second", JUNE, "inactive")], []),
        ([LOADED], [WIDER], []),
        ([LOADED], [WIDER, version("second", JUNE)], [("first", "second")]),
    ],
)
def test_a_load_tells_which_keys_it_gives_to_another_merchant(history, versions, expected):
    assert moved(history, versions) == expected


def test_what_is_left_behind_is_every_balance_that_the_key_gave_the_merchant_before():
    closed = replace(WIDER, effective_from=MARCH, balance_shops={"EUR": "bs-later"})
    history = [LOADED, WIDER, closed]
    [found] = handovers(history, extended(history, [version("second", JUNE)], NOW))
    assert found.left_behind == {("bs", "EUR"), ("bs-usd", "USD"), ("bs-later", "EUR")}
    assert (found.key, found.effective_from) == (KEY, JUNE)
