from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.instants import parse_rfc3339, quarter_of, rfc3339
from tests.strategies import date_texts, few


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-11-20T10:15:30Z", "2026-11-20T10:15:30Z"),
        ("2026-11-20t10:15:30z", "2026-11-20T10:15:30Z"),
        ("2026-11-20T10:15:30+02:00", "2026-11-20T08:15:30Z"),
        ("2026-11-20T23:30:00-03:00", "2026-11-21T02:30:00Z"),
        ("2026-11-20T10:15:30-00:00", "2026-11-20T10:15:30Z"),
        ("2026-11-20T10:15:30+05:45", "2026-11-20T04:30:30Z"),
        ("2026-11-20T10:15:30+23:59", "2026-11-19T10:16:30Z"),
        ("2026-11-20T10:15:30.9Z", "2026-11-20T10:15:30Z"),
        ("2026-11-20T10:15:30.999999Z", "2026-11-20T10:15:30Z"),
        ("2026-11-20T10:15:30.999999999Z", "2026-11-20T10:15:30Z"),
        ("2026-12-31T23:59:59.999999-00:01", "2027-01-01T00:00:59Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_dates_are_stored_in_utc_with_the_fraction_cut_off(text, stored):
    assert rfc3339(parse_rfc3339(text)) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20",
        "2026-11-20T10:15:30",  # no offset
        "2026-11-20T10:15Z",
        "2026-11-20 10:15:30Z",
        "2026-11-20T10:15:30.Z",
        "2026-11-20T10:15:30,5Z",
        "2026-11-20T10:15:30.1234567890Z",  # ten digits
        "2026-11-20T10:15:30+0200",
        "2026-11-20T10:15:30+02",
        "2026-11-20T10:15:30+24:00",
        "2026-11-20T10:15:30+02:60",
        "2026-11-20T10:15:30\u221202:00",  # a typographic minus
        "2026-11-20T10:15:30 Z",
        "2026-11-20T10:15:30Z\n",
        "\n2026-11-20T10:15:30Z",
        " 2026-11-20T10:15:30Z",
        "2026-11-20T10:15:30ZZ",
        "２０２６-11-20T10:15:30Z",  # noqa: RUF001 - fullwidth digits are the case
        "2026-11-20T10:15:3\u0663Z",  # an Arabic-Indic three
        "2026-1-20T10:15:30Z",
        "20261120T101530Z",
        "+2026-11-20T10:15:30Z",
        "12026-11-20T10:15:30Z",
        "2026-02-29T00:00:00Z",  # no leap year
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:60:00Z",
        "2016-12-31T23:59:60Z",  # a leap second has no place in UTC as computers count it
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",  # year 0 in UTC
        "9999-12-31T23:59:59-00:01",  # year 10000 in UTC
        "1700000000",
    ],
)
def test_other_forms_and_times_that_do_not_exist_are_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    ("instant", "quarter"),
    [
        ("2026-11-20T10:15:00Z", "2026-11-20T10:15:00Z"),
        ("2026-11-20T10:14:59Z", "2026-11-20T10:00:00Z"),
        ("2026-11-20T10:59:59Z", "2026-11-20T10:45:00Z"),
        ("2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z"),
    ],
)
def test_a_quarter_begins_at_0_15_30_or_45_minutes(instant, quarter):
    assert rfc3339(quarter_of(parse_rfc3339(instant))) == quarter


def test_a_quarter_drops_microseconds():
    arrived_at = datetime(2026, 11, 20, 10, 29, 59, 999_999, tzinfo=UTC)
    assert quarter_of(arrived_at) == datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


@few
@given(date_texts())
def test_a_stored_date_reads_back_as_itself(text):
    stored = rfc3339(parse_rfc3339(text))
    assert rfc3339(parse_rfc3339(stored)) == stored
    assert len(stored) == len("2026-11-20T10:15:30Z")


@few
@given(st.text(max_size=40))
def test_any_text_is_a_date_or_a_value_error(text):
    try:
        assert parse_rfc3339(text).tzinfo is UTC
    except ValueError:
        return
