"""Closed days take a request a day, file, page since and megabyte; the log one for each object."""

from datetime import date, timedelta

import pytest

from falcon_balances.audit.cheaper import closed_is_cheaper
from falcon_balances.contracts.closed_days import ParquetFileV1, closed_day_of

MB = 1_000_000


def days(count, segments, size):
    file = ParquetFileV1(name="lines.parquet", sha256="0" * 64, size=size)
    first = date(2026, 11, 20)
    return [
        closed_day_of(first + timedelta(days=n), None, {}, segments, segments, (file,))
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("made", "pages", "merchant_lines", "closed"),
    [
        (days(10, 1_000, 5 * MB), 100, None, True),  # 170 against 10,000
        (days(10, 10, 1), 79, None, True),  # 99 against 100
        (days(10, 10, 1), 80, None, False),
        (days(10, 10, 2 * MB), 60, None, False),  # 20 megabytes more
        (days(10, 1_000, 5 * MB), 100, 170, False),  # one merchant has few objects
        (days(10, 1_000, 5 * MB), 100, 171, True),
        ([], 0, None, False),
    ],
)
def test_whichever_takes_fewer_requests(made, pages, merchant_lines, closed):
    assert closed_is_cheaper(made, pages, merchant_lines) is closed
