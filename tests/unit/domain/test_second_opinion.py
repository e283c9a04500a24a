"""What the log makes of a balance since a closing, in whatever order it was counted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.balances import fold
from falcon_balances.domain.history import Figures
from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.second_opinion import (
    CheckedSegment,
    Opinion,
    Standpoint,
    logged_available,
    opinion_on,
)
from falcon_balances.domain.table_keys import BalanceKey
from tests.builders import Document, confirmed, reconciled
from tests.component.ledger import adjustment, any_claim_of, payout

BALANCE = BalanceKey("bs-5553-eur", "EUR")
AMOUNTS = st.integers(-500, 500).filter(bool)


def segment(document: Document, amount: int, revision: int = 1) -> Segment:
    """Of one line, whatever the sign."""
    claim = any_claim_of(document)
    line = claim.lines_of(claim.segments[0])[0]
    signed = replace(line, amount=Money(amount, line.currency))
    return Segment(claim.stage, "m-5553", 1, 1, (signed,), revision=revision)


@st.composite
def worlds(draw) -> list[Segment]:
    """Segments of a few operations in both stages and several revisions, and of one stage."""
    found = [segment(payout(), draw(AMOUNTS)), segment(adjustment(), draw(AMOUNTS))]
    for n in range(draw(st.integers(1, 3))):
        for event in (confirmed, reconciled):
            revisions = range(1, draw(st.integers(0, 3)) + 1)
            found += [
                segment(event(external_reference=f"o-{n}"), draw(AMOUNTS), r) for r in revisions
            ]
    return list(draw(st.permutations(found)))


def figures(segments: list[Segment]) -> Figures:
    return Figures.of(next(iter(fold(segments).values()), {}))


def opinion(
    closing: Figures, before: list[CheckedSegment], since: list[CheckedSegment], now: Figures
) -> int | None:
    start = Standpoint(closing, closing.available_before_blocks)
    return logged_available(start, opinion_on(BALANCE, before, since), now)


def as_logged(segments: list[Segment]) -> list[CheckedSegment]:
    return [CheckedSegment(each, each) for each in segments]


@given(worlds(), st.data())
def test_wherever_the_closing_lies_the_opinion_is_the_whole_fold(world, data):
    """Also if operations that nothing was counted of since are not read."""
    at = data.draw(st.integers(0, len(world)))
    earlier, since = world[:at], world[at:]
    touched = {each.falcon_operation_id for each in since}
    before = [each for each in earlier if each.falcon_operation_id in touched]
    found = opinion(figures(earlier), as_logged(before), as_logged(since), figures(world))
    assert found == figures(world).available_before_blocks


@given(worlds(), st.data())
def test_marks_of_before_that_are_not_found_change_nothing_or_give_no_opinion(world, data):
    at = data.draw(st.integers(0, len(world)))
    found = data.draw(st.lists(st.booleans(), min_size=at, max_size=at))
    before = [each for each, is_found in zip(world[:at], found, strict=True) if is_found]
    since = as_logged(world[at:])
    available = opinion(figures(world[:at]), as_logged(before), since, figures(world))
    assert available in (None, figures(world).available_before_blocks)


@given(worlds(), st.data())
def test_what_the_log_lacks_adds_nothing(world, data):
    logged = data.draw(st.lists(st.booleans(), min_size=len(world), max_size=len(world)))
    since = [CheckedSegment(s, s if has else None) for s, has in zip(world, logged, strict=True)]
    there = [each.logged for each in since if each.logged is not None]
    assert opinion(Figures(), [], since, figures(world)) == figures(there).available_before_blocks


@given(worlds(), st.data())
def test_a_figure_that_is_not_what_closing_and_marks_make_gives_no_opinion(world, data):
    at = data.draw(st.integers(0, len(world)))
    name = data.draw(st.sampled_from(("confirmed", "pending", "withdrawn", "operations_count")))
    wrong = data.draw(AMOUNTS)
    now = figures(world)
    now = replace(now, **{name: getattr(now, name) + wrong})
    parts = as_logged(world[:at]), as_logged(world[at:])
    assert opinion(figures(world[:at]), *parts, now) is None


@given(worlds(), st.data())
def test_a_day_in_pages_adds_what_the_day_adds(world, data):
    """Each page on what was counted before it."""
    first, last = sorted(data.draw(st.integers(0, len(world))) for _ in range(2))
    pages = (world[:first], world[first:last], world[last:])
    total, before = Opinion(), list[CheckedSegment]()
    for page in map(as_logged, pages):
        total = total.plus(opinion_on(BALANCE, before, page))
        before += page
    assert total == Opinion(figures(world), figures(world).available_before_blocks)


@pytest.mark.parametrize("name", ["available_before_blocks", "confirmed", "pending", "unapplied"])
def test_a_closing_that_both_stages_do_not_explain_gives_no_opinion(name):
    closing = replace(Figures(), **{name: 1})
    assert not closing.adds_up
    assert opinion(closing, [], [], closing) is None
