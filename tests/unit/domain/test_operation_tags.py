"""Codes of marks let every wanted operation through."""

from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.operation_filter import OperationFilter
from falcon_balances.domain.operation_tags import EVERY, tag, tags_of
from tests.strategies import journals


def test_a_code_is_what_it_always_was():
    """The table keeps codes for ever."""
    assert tag("stage", "confirmed") == "f1b0"
    assert tag("type", "capture") == "6ed6"


@given(journals(), st.data())
def test_what_a_filter_lets_through_has_its_codes(segments, data):
    for segment in segments:
        line = data.draw(st.sampled_from(segment.lines))
        asked = data.draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "stage": st.just(segment.stage),
                    "type": st.just(line.type),
                    "psp_id": st.just(line.psp_id),
                    "balance_shop_id": st.just(line.balance_shop_id),
                },
            )
        )
        tags = tags_of(segment.stage, segment.lines)
        assert tags == EVERY or {*OperationFilter(**asked).tags} <= {*tags.split(" ")}
        assert len(tags) < 150
