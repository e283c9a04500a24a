"""Whether closed days or the log's objects are the cheaper way to everything that is counted."""

from collections.abc import Sequence

from falcon_balances.contracts.closed_days import ClosedDayV1

# Reading a megabyte takes about as long as a request for a small object.
_BYTES_PER_REQUEST = 1_000_000


def closed_is_cheaper(
    days: Sequence[ClosedDayV1], pages_since: int, merchant_lines: int | None = None
) -> bool:
    """Compares requests. The log takes one for each object; closed days one for each day, file,
    page since, and megabyte.

    `merchant_lines`: of one merchant, its lines in the table, which are at least as many as its
    objects; closed days are read whole also for one merchant.
    """
    files = [each for day in days for each in day.files]
    size = sum(each.size for each in files)
    closed = len(days) + len(files) + pages_since + size // _BYTES_PER_REQUEST
    segments = sum(day.segments for day in days)
    return bool(days) and closed < (segments if merchant_lines is None else merchant_lines)
