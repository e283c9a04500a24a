from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.history import (
    Figures,
    NotClosedError,
    Past,
    Window,
    last_day_before,
    parse_month,
    parse_quarter,
    quarters,
)
from falcon_balances.domain.instants import QUARTER, parse_rfc3339, rfc3339
from falcon_balances.domain.table_keys import BalanceKey
from tests.strategies import date_texts, few

NAMES = [field.name for field in fields(Figures)]
BS_1, BS_10 = BalanceKey("bs-1", "EUR"), BalanceKey("bs-10", "EUR")
figures = st.builds(Figures, **{name: st.integers() for name in NAMES})


def at(time: str) -> datetime:
    return parse_rfc3339(f"2026-11-20T{time}Z")


def window(time: str, amount: int, balance: BalanceKey = BS_1) -> Window:
    return Window(at(time), balance, Figures(confirmed=amount, pending=amount, operations_count=1))


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_added_and_subtracted_and_no_other(name):
    three, five = Figures(**{name: 3}), Figures(**{name: 5})
    assert asdict(five + three) == dict.fromkeys(NAMES, 0) | {name: 8}
    assert asdict(three - five) == dict.fromkeys(NAMES, 0) | {name: -2}


@few
@given(figures, figures, figures)
def test_figures_add_up_in_any_order_and_what_was_added_can_be_taken_off(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a + b) - b == a
    assert a + Figures() == a - Figures() == a
    assert a - a == Figures()


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({}, Figures()),
        (
            {"confirmed": 7, "pending": 7, "operations_count": 1},
            Figures(7, pending=7, operations_count=1),
        ),
        (
            {"withdrawn": 4, "adjusted": -3, "available": -7},
            Figures(withdrawn=4, adjusted=-3, available_before_blocks=-7),
        ),
        (
            {"available": 60, "blocked": 40},
            Figures(available_before_blocks=100),
        ),  # set aside, but there
        ({"available": -10, "blocked": 10}, Figures()),
        ({"blocked": 40}, Figures(available_before_blocks=40)),
        ({"available": 5, "something_new": 9}, Figures(available_before_blocks=5)),
    ],
)
def test_figures_are_counters_before_blocks(counters, expected):
    assert Figures.of(counters) == expected


PAST = Past(
    since=at("10:00:00"),
    closed_until=at("11:00:00"),
    closing={
        BS_1: Figures(111, pending=111, operations_count=3),
        BS_10: Figures(5, pending=5, operations_count=1),
    },
    windows=(
        window("10:00:00", 1),
        window("10:15:00", 10),
        window("10:15:00", 5, BS_10),
        window("10:45:00", 100),
    ),
)


@pytest.mark.parametrize(
    ("time", "confirmed", "of_the_other"),
    [
        ("10:00:00", 0, 0),
        ("10:15:00", 1, 0),
        ("10:30:00", 11, 5),
        ("10:45:00", 11, 5),
        ("11:00:00", 111, 5),
    ],
)
def test_a_balance_at_a_border_is_what_was_counted_before_it(time, confirmed, of_the_other):
    found = PAST.at(at(time))
    assert found.keys() == {BS_1, BS_10}
    assert (found[BS_1].confirmed, found[BS_10].confirmed) == (confirmed, of_the_other)
    assert found[BS_1].pending == confirmed


def test_what_was_before_the_past_stays_in_it():
    past = Past(at("10:45:00"), PAST.closed_until, PAST.closing, PAST.windows[3:])
    assert past.at(at("10:45:00"))[BS_1] == Figures(11, pending=11, operations_count=2)
    assert past.at(at("10:45:00"))[BS_10] == PAST.closing[BS_10]


def test_asking_changes_nothing():
    PAST.at(at("10:00:00"))
    assert PAST.at(PAST.closed_until) == PAST.closing


@pytest.mark.parametrize(
    ("start", "end", "amounts"),
    [
        ("10:00:00", "11:00:00", [1, 10, 5, 100]),
        ("10:00:00", "10:15:00", [1]),
        ("10:15:00", "10:30:00", [10, 5]),
        ("10:15:00", "10:45:00", [10, 5]),
        ("10:30:00", "10:45:00", []),
        ("10:45:00", "11:00:00", [100]),
        ("10:15:00", "10:15:00", []),
        ("11:00:00", "10:00:00", []),
    ],
)
def test_windows_between_are_those_that_began_from_the_first_to_before_the_last(
    start, end, amounts
):
    assert [each.change.confirmed for each in PAST.between(at(start), at(end))] == amounts


@given(
    st.lists(
        st.builds(
            Window,
            st.integers(0, 8).map(lambda n: at("10:00:00") + n * QUARTER),
            st.sampled_from([BS_1, BS_10]),
            figures,
        )
    ),
    st.dictionaries(st.sampled_from([BS_1, BS_10]), figures, min_size=2),
    st.integers(0, 9),
    st.integers(0, 9),
)
@few
def test_a_later_border_is_an_earlier_one_and_what_was_counted_between(windows, closing, m, n):
    first, last = (at("10:00:00") + each * QUARTER for each in sorted((m, n)))
    ordered = tuple(sorted(windows, key=lambda each: each.start))
    past = Past(at("10:00:00"), at("10:00:00") + 9 * QUARTER, closing, ordered)
    running = past.at(first)
    for each in past.between(first, last):
        running[each.balance] += each.change
    assert running == past.at(last)


def test_not_closed_says_until_when_it_is():
    assert NotClosedError(at("10:15:00")).closed_until == at("10:15:00")
    assert NotClosedError(None).closed_until is None
    assert "10:15:00" in str(NotClosedError(at("10:15:00")))


@pytest.mark.parametrize(
    ("text", "quarter"),
    [
        ("2026-11-20T10:15:00Z", "2026-11-20T10:15:00Z"),
        ("2026-11-20t10:30:00z", "2026-11-20T10:30:00Z"),
        ("2026-11-20T00:00:00+00:00", "2026-11-20T00:00:00Z"),
        ("2026-11-20T10:45:00+02:00", "2026-11-20T08:45:00Z"),
        ("2026-11-20T10:00:00+05:45", "2026-11-20T04:15:00Z"),
        ("2026-11-20T10:00:00-11:30", "2026-11-20T21:30:00Z"),
        ("2026-11-20T10:07:00+00:07", "2026-11-20T10:00:00Z"),  # no quarter's but in UTC
        ("2026-12-01T00:30:00+01:00", "2026-11-30T23:30:00Z"),
        ("2026-11-20T10:15:00.000Z", "2026-11-20T10:15:00Z"),
        ("2026-11-20T10:15:00.9Z", "2026-11-20T10:15:00Z"),  # fractions are cut off everywhere
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:45:00Z", "9999-12-31T23:45:00Z"),
    ],
)
def test_a_quarter_can_be_written_with_any_offset(text, quarter):
    assert rfc3339(parse_quarter(text)) == quarter


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T10:14:59Z",
        "2026-11-20T10:15:01Z",
        "2026-11-20T10:16:00Z",
        "2026-11-20T10:15:00+00:07",  # 10:08 in UTC
        "2026-11-20T10:15:00",
        "2026-11-20T10:15Z",
        "2026-11-20 10:15:00Z",
        "2026-11-20",
        "2026-11",
        "2026-02-29T10:15:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:60:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:45:00-01:00",
        "2026-11-20T10:15:00Z\n",
        " 2026-11-20T10:15:00Z",
        "２０２６-11-20T10:15:00Z",  # noqa: RUF001 - fullwidth digits are the case
        "1763633700",
        "now",
        "",
    ],
)
def test_what_is_no_quarter_s_beginning_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_quarter(text)


@few
@given(date_texts())
def test_any_date_is_a_quarter_s_beginning_or_a_value_error(text):
    instant = parse_rfc3339(text)
    if instant.minute % 15 == 0 and instant.second == 0:
        assert parse_quarter(text) == instant
    else:
        with pytest.raises(ValueError, match="quarter"):
            parse_quarter(text)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-11", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("0001-01", "0001-01-01T00:00:00Z", "0001-02-01T00:00:00Z"),
        ("9999-11", "9999-11-01T00:00:00Z", "9999-12-01T00:00:00Z"),
    ],
)
def test_a_month_is_from_its_first_instant_to_the_next_one_s(text, start, end):
    assert [rfc3339(border) for border in parse_month(text)] == [start, end]


@pytest.mark.parametrize(
    "text",
    [
        "2026-13",
        "2026-00",
        "0000-01",
        "0000-12",
        "9999-12",  # whose end no calendar here has
        "2026-1",
        "2026-011",
        "26-11",
        "02026-11",
        "-2026-11",
        "2026-11-01",
        "2026/11",
        "202611",
        "2026-11\n",
        "\n2026-11",
        " 2026-11",
        "2026-11 ",
        "２０２６-11",  # noqa: RUF001 - fullwidth digits are the case
        "2026-1\u0661",  # an Arabic-Indic one
        "2026\u221211",  # a typographic minus
        "2026-Nov",
        "",
    ],
)
def test_months_that_do_not_exist_are_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_month(text)


@few
@given(st.text(max_size=12))
def test_any_text_is_a_month_or_a_value_error(text):
    try:
        start, end = parse_month(text)
    except ValueError:
        return
    assert rfc3339(start)[:7] == text
    assert timedelta(days=28) <= end - start <= timedelta(days=31)


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("10:00:00", "10:45:00", ["10:00:00", "10:15:00", "10:30:00", "10:45:00"]),
        ("10:15:00", "10:30:00", ["10:15:00", "10:30:00"]),
        ("10:15:00", "10:15:00", ["10:15:00"]),
        ("10:15:00", "10:00:00", []),
        ("10:00:00", "10:29:59", ["10:00:00", "10:15:00"]),
    ],
)
def test_quarters_are_counted_with_the_first_and_the_last(start, end, found):
    assert quarters(at(start), at(end)) == [at(each) for each in found]


def test_quarters_go_over_midnight_and_the_end_of_the_year():
    start, end = parse_rfc3339("2026-12-31T23:45:00Z"), parse_rfc3339("2027-01-01T00:15:00Z")
    assert [rfc3339(each)[11:16] for each in quarters(start, end)] == ["23:45", "00:00", "00:15"]
    assert len(quarters(start, start + timedelta(days=1))) == 97


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-12-01T00:00:00Z", "2026-11-30"),  # a month ends with its last day
        ("2026-11-20T00:15:00Z", "2026-11-20"),
        ("2026-11-20T00:00:01Z", "2026-11-20"),
        ("2026-11-20T23:45:00Z", "2026-11-20"),
        ("2027-01-01T00:00:00Z", "2026-12-31"),
        ("2024-03-01T00:00:00Z", "2024-02-29"),
        ("0001-01-02T00:00:00Z", "0001-01-01"),
    ],
)
def test_the_last_day_is_the_one_that_the_moment_before_lies_in(instant, day):
    assert last_day_before(parse_rfc3339(instant)) == day


def test_a_month_s_days_are_from_its_start_to_the_last_before_its_end():
    for month, days in (("2026-02", 28), ("2024-02", 29), ("2026-11", 30), ("2026-12", 31)):
        start, end = parse_month(month)
        assert start.tzinfo is end.tzinfo is UTC
        assert last_day_before(end) == f"{month}-{days}"
