"""Quarters, months and days, as merchants name them and as they are counted."""

from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.history import (
    last_day_before,
    parse_month,
    parse_quarter,
    quarters,
)
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from tests.strategies import date_texts, few
from tests.unit.domain.test_history import at


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
