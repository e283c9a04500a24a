"""The dates of payout requests, returns and adjustments."""

import pytest

from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.direct_operations import DirectOperation, PayoutRequest
from falcon_balances.domain.instants import rfc3339
from tests.unit.contracts.direct_messages import (
    BASES,
    DATES,
    OF_EVERY_KIND,
    STAGES,
    parsed,
    refusal,
)


@OF_EVERY_KIND
@pytest.mark.parametrize(
    ("date", "read"),
    [
        ("2026-11-20T10:30:30Z", "2026-11-20T10:30:30Z"),
        ("2026-11-20T10:30:30.999999Z", "2026-11-20T10:30:30Z"),
        ("2026-11-20T12:30:30+02:00", "2026-11-20T10:30:30Z"),
        ("2000-01-01t00:00:00z", "2000-01-01T00:00:00Z"),
    ],
)
def test_a_date_is_up_to_15_minutes_after_the_message_was_sent_or_old(kind, date, read):
    assert rfc3339(parsed(kind, **{DATES[kind]: date}).booked_at) == read


@OF_EVERY_KIND
@pytest.mark.parametrize(
    "date", ["2026-11-20T10:30:31Z", "2026-11-20T10:30:30-00:01", "9999-12-31T23:59:59Z"]
)
def test_a_date_in_the_future_is_refused(kind, date):
    why = f"{DATES[kind]}: must not be later than 15 minutes after the message was sent"
    assert refusal(kind, **{DATES[kind]: date}) == ("E_FUTURE", why)


@OF_EVERY_KIND
@pytest.mark.parametrize(
    "date", ["", "yesterday", "2026-11-20", "2026-11-20T10:15:30", "2026-02-29T10:15:30Z"]
)
def test_a_date_is_rfc_3339_with_an_offset(kind, date):
    why = f"{DATES[kind]}: must be an existing time in RFC 3339 with an offset"
    assert refusal(kind, **{DATES[kind]: date}) == ("E_DATE", why)


@pytest.mark.parametrize(
    "until", ["2026-11-20T10:15:30Z", "2026-11-20T10:15:30.9Z", "2999-01-01T00:00:00Z"]
)
def test_a_request_may_be_valid_until_any_time_that_is_not_before_it(until):
    operation = parsed("request", valid_until=until)
    assert isinstance(operation, PayoutRequest)
    assert operation.valid_until is not None
    assert rfc3339(operation.valid_until) == until.replace(".9", "")


@pytest.mark.parametrize(
    ("until", "why"),
    [
        ("2026-11-20T10:15:29Z", "valid_until: must not be before requested_at"),
        ("2026-11-20T10:15:30+02:00", "valid_until: must not be before requested_at"),
        (
            "",
            "valid_until: must be an existing time in RFC 3339 with an offset",
        ),
        (
            "2026-11-21",
            "valid_until: must be an existing time in RFC 3339 with an offset",
        ),
    ],
)
def test_a_request_is_not_valid_until_before_it_was_made(until, why):
    assert refusal("request", valid_until=until) == ("E_DATE", why)


def test_that_it_is_valid_until_before_itself_is_told_before_a_date_in_the_future():
    said = refusal(
        "request", requested_at="2999-01-01T00:00:00Z", valid_until="2998-01-01T00:00:00Z"
    )
    assert said == ("E_DATE", "valid_until: must not be before requested_at")


@OF_EVERY_KIND
def test_a_file_checked_without_a_time_of_sending_may_hold_any_date(kind):
    document = BASES[kind] | {DATES[kind]: "2999-01-01T00:00:00Z"}
    operation = parse_document(document, STAGES[kind])
    assert isinstance(operation, DirectOperation)
    assert operation.booked_at.year == 2999
