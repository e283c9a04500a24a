"""Keys of log objects (design §6): how they are made, and what they tell.

`{stage}/merchant_id=…/date=…/{operation id}.csv`; before `.csv` the revision, from the second on,
and the part and number of parts if an event touches several merchants. The key follows from the
segment, so a repeated write meets the same object.
"""

import re
from typing import Final, NamedTuple, Self

from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_grammar import ID, REPETITION, UUID
from falcon_balances.domain.operations import PSP_STAGES, Segment, Stage

PARTITION: Final = (
    f"(?P<stage>{'|'.join(Stage)})/merchant_id=(?P<merchant_id>{ID})/"
    "date=(?P<day>[2-9][0-9]{3}-[0-9]{2}-[0-9]{2})"
)
_NUMBER: Final = "[1-9][0-9]{0,3}"
_NAME: Final = (
    rf"(?P<operation>{UUID})(\.r(?P<revision>{REPETITION}))?"
    rf"(\.(?P<part>{_NUMBER})-of-(?P<parts>{_NUMBER}))?\.csv"
)
_OF_A_NAME: Final = re.compile(_NAME)
_OF_A_KEY: Final = re.compile(f"{PARTITION}/{_NAME}")


class LogKey(NamedTuple):
    """`day` is the UTC day of the lines; `part` counts from 1 to `parts`."""

    stage: Stage
    merchant_id: str
    day: str
    falcon_operation_id: str
    revision: int = 1
    part: int = 1
    parts: int = 1

    @classmethod
    def of(cls, segment: Segment) -> Self:
        return cls(
            segment.stage,
            segment.merchant_id,
            rfc3339(segment.booked_at)[:10],
            segment.falcon_operation_id,
            segment.revision,
            segment.part,
            segment.parts,
        )

    @property
    def text(self) -> str:
        revision = f".r{self.revision}" if self.revision > 1 else ""
        part = f".{self.part}-of-{self.parts}" if self.parts > 1 else ""
        return (
            f"{merchant_prefix(self.stage, self.merchant_id)}date={self.day}/"
            f"{self.falcon_operation_id}{revision}{part}.csv"
        )

    @classmethod
    def parse(cls, key: str) -> Self:
        """The key in a text. Raises ValueError for anything that is not a key of the log."""
        named = _OF_A_KEY.fullmatch(key)
        if named is None or not is_object_name(key.rpartition("/")[2], named["stage"]):
            raise ValueError("not a key of the log")
        return cls(
            Stage(named["stage"]),
            named["merchant_id"],
            named["day"],
            named["operation"],
            int(named["revision"] or 1),
            int(named["part"] or 1),
            int(named["parts"] or 1),
        )


def log_key(segment: Segment) -> str:
    return LogKey.of(segment).text


def merchant_prefix(stage: str, merchant_id: str) -> str:
    """The prefix of all keys of a merchant in a stage."""
    return f"{stage}/merchant_id={merchant_id}/"


class DayRange(NamedTuple):
    """Days from the first to the last, both included, as `YYYY-MM-DD`."""

    first: str
    last: str

    def start(self, prefix: str) -> str:
        """A text that sorts right before the merchant's keys of these days. `prefix`: the result of
        `merchant_prefix`.
        """
        return f"{prefix}date={self.first}/"

    def contain(self, key: str, prefix: str) -> bool:
        """Whether a key with this prefix is of these days."""
        return self.start(prefix) < key < f"{prefix}date={self.last}0"


def merchant_of(key: str) -> str | None:
    """The merchant of a log object's key; None if it is not a key of the log."""
    try:
        return LogKey.parse(key).merchant_id
    except ValueError:
        return None


def is_object_name(name: str, stage: str) -> bool:
    """Whether a key of this stage can end in the name. Only PSP stages allow a revision in it."""
    named = _OF_A_NAME.fullmatch(name)
    if named is None or (named["revision"] and stage not in PSP_STAGES):
        return False
    return named["part"] is None or int(named["part"]) <= int(named["parts"]) > 1
