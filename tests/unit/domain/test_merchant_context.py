from datetime import UTC, datetime, timedelta

import pytest

from falcon_balances.domain.merchant_context import (
    NOTICE,
    VERSIONS_MAX,
    ContextKey,
    MerchantContext,
    extended,
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
    with pytest.raises(ValueError, match=r"^effective_from: known already"):
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
    with pytest.raises(ValueError, match=r"^effective_from: a later version starts"):
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
