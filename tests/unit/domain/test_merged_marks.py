from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.merged_marks import (
    PARTITIONS,
    SeenOrders,
    bounds_after,
    index_partition,
    index_partitions,
    merged,
    merged_until_seen,
)

ORDERS = st.sampled_from([f"w{n}#{staged}" for n in range(9) for staged in ("c", "c.2", "c.10")])


def test_an_operation_is_always_in_the_same_partition_and_half_of_all_are_in_each():
    found = Counter(index_partition("m", uuid5_text(str(n))) for n in range(10_000))
    assert sorted(found) == index_partitions("m")
    assert max(found.values()) < 1.1 * 10_000 / PARTITIONS


@given(
    st.lists(st.lists(ORDERS, max_size=12), min_size=1, max_size=4),
    st.integers(1, 6),
    st.booleans(),
    st.sampled_from(["w0", "w2"]),
    st.sampled_from(["w5~", "w8#c.2~"]),
)
def test_pages_of_several_partitions_are_those_of_one_list(parts, limit, newest_first, start, end):
    held = [sorted(set(part)) for part in parts]
    held = [[each for each in part if _first(held, each) == n] for n, part in enumerate(held)]
    wanted = sorted(
        (each for part in held for each in part if start <= each <= end), reverse=newest_first
    )
    found: list[str] = []
    after, is_last = None, False
    while not is_last:
        bounds = bounds_after(start, end, after, newest_first=newest_first)
        left = [
            sorted((o for o in part if bounds.first <= o <= bounds.last), reverse=newest_first)
            for part in held
        ]
        page, is_last = merged(
            [part[: limit + 2] for part in left], after, limit, newest_first=newest_first
        )
        assert is_last or len(page) == limit
        found += page
        after = page[-1] if page else after
    assert found == wanted


@given(
    st.lists(st.lists(ORDERS, max_size=12), min_size=1, max_size=4),
    st.sets(ORDERS),
    st.integers(1, 4),
    st.integers(2, 5),
    st.booleans(),
)
def test_pages_of_some_orders_pass_over_none_of_them_however_far_each_partition_was_looked_at(
    parts, some, limit, look_at, newest_first
):
    held = [sorted(set(part)) for part in parts]
    held = [[each for each in part if _first(held, each) == n] for n, part in enumerate(held)]
    wanted = sorted((each for part in held for each in part if each in some), reverse=newest_first)
    found: list[str] = []
    after, pages = None, 0
    while True:
        bounds = bounds_after("w0", "w9", after, newest_first=newest_first)
        looked_at = []
        for part in held:
            left = [each for each in part if bounds.first <= each <= bounds.last]
            left.sort(reverse=newest_first)
            now = left[:look_at]
            passing = [each for each in now if each in some]
            looked_at.append(SeenOrders(passing, now[-1] if len(left) > look_at else None))
        page = merged_until_seen(looked_at, after, limit, newest_first=newest_first)
        assert len(page.orders) <= limit
        found += page.orders
        pages += 1
        if page.seen is None:
            break
        assert after is None or (page.seen < after if newest_first else page.seen > after)
        after = page.seen
    assert found == wanted
    assert pages <= 1 + sum(map(len, held))


def _first(held: list[list[str]], order: str) -> int:
    return next(n for n, part in enumerate(held) if order in part)


def test_a_position_outside_the_bounds_leaves_nothing_or_all():
    assert bounds_after("b", "c", "a", newest_first=True).is_empty
    assert bounds_after("b", "c", "d", newest_first=False).is_empty
    assert bounds_after("b", "c", "a", newest_first=False) == ("b", "c")
    assert bounds_after("b", "c", "d", newest_first=True) == ("b", "c")
