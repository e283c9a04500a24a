"""Where a page of a statement ended, written into its cursor and read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.history import Figures
from falcon_balances.domain.statement_positions import MerchantStatementPosition
from tests.strategies import few
from tests.unit.domain.test_table_keys import BALANCES, ORDERS

NUMBERS = st.lists(st.integers(-(10**19), 10**19), min_size=10, max_size=10)
FIGURES = NUMBERS.map(lambda numbers: Figures(*numbers))


@few
@given(ORDERS, st.dictionaries(BALANCES, FIGURES, max_size=5))
def test_a_position_is_read_as_it_was_written(order, counted):
    position = MerchantStatementPosition(order, counted)
    assert MerchantStatementPosition.parse(position.text) == position


ORDER = "2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#an-operation#confirmed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|",
        f"{ORDER}|",
        f"{ORDER}|bs-1",
        f"{ORDER}|bs-1#EUR",
        f"{ORDER}|bs-1#EUR#1",
        f"{ORDER}|bs-1#EUR#1,2,3,4,5,6,7,8,9,x",
        f"{ORDER}|bs-1#EUR#1,2,3,4,5,6,7,8,9,10,11",
        f"|bs-1#EUR#{','.join('1' * 10)}",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        MerchantStatementPosition.parse(text)
