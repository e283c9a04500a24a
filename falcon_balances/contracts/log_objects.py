"""Reads one log object strictly: its bytes must be exactly what the log's writer writes."""

from typing import Annotated

from pydantic import Field

from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.log_format import logged_segment
from falcon_balances.domain.log_grammar import BODY_BYTES_MAX
from falcon_balances.domain.operations import BalanceOperation, Segment

# S3's ids: https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
VersionId = Annotated[str, Field(min_length=1, max_length=1_024, pattern=r"^[!-~]+$")]


class FlawedObjectError(ValueError):
    """Names the fault, and the number of the line if a line is wrong; never the line's contents."""


def read_strictly(key: str, body: bytes) -> Segment:
    """The segment in an object whose key and body follow the log's grammar, which allows one way to
    write each segment.

    Raises FlawedObjectError.
    """
    if len(body) > BODY_BYTES_MAX:
        raise FlawedObjectError("larger than a log object can be")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        number = body.count(b"\n", 0, error.start) + 1
        raise FlawedObjectError(f"line {number}: a character that no field may contain") from error
    try:
        segment = logged_segment(key, text)
    except ValueError as error:
        raise FlawedObjectError(str(error)) from error
    for number, line in enumerate(segment.lines, start=2):
        if flaw := _flaw(line):
            raise FlawedObjectError(f"line {number}: {flaw}")
    return segment


def _flaw(line: BalanceOperation) -> str | None:
    currency = written_currency(line.amount.currency.code)
    if currency is None:
        return "unknown currency"
    if currency != line.amount.currency:
        return "amount is not written with all decimals of its currency"
    return None
