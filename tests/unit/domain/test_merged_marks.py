from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.merged_marks import (
    PARTITIONS,
    bounds_after,
    index_partition,
    index_partitions,
    merged,
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


def _first(held: list[list[str]], order: str) -> int:
    return next(n for n, part in enumerate(held) if order in part)


def test_a_position_outside_the_bounds_leaves_nothing_or_all():
    assert bounds_after("b", "c", "a", newest_first=True).is_empty
    assert bounds_after("b", "c", "d", newest_first=False).is_empty
    assert bounds_after("b", "c", "a", newest_first=False) == ("b", "c")
    assert bounds_after("b", "c", "d", newest_first=True) == ("b", "c")
