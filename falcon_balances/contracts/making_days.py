"""What the two functions that make closed days in AWS hand to each other, through their machine."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.athena_sql import COUNTS
from falcon_balances.contracts.closed_days import Positions

# Of an execution of Step Functions; it becomes part of keys and of SQL.
Run = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,80}$")]
Count = Annotated[int, Field(ge=0)]
_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")


class ListRequest(BaseModel):
    model_config = _STRICT

    run: Run


class ListedDay(BaseModel):
    """A day that is closed and not made, and the SQL that makes it. `journal`: the positions where
    the next day begins to read, 100 bytes for each shard that ever was: a state of the machine
    takes 256 KiB, which is 2,000 shards.
    """

    model_config = _STRICT

    day: str
    run: Run
    journal: Positions
    segments: Count
    lines: Count
    unload: str
    count: str


class Listed(BaseModel):
    """`day` is None if every closed day is made."""

    model_config = _STRICT

    is_done: bool
    has_lines: bool
    day: ListedDay | None

    @classmethod
    def of(cls, day: ListedDay | None) -> Self:
        return cls(is_done=day is None, has_lines=day is not None and day.lines > 0, day=day)


class PublishRequest(BaseModel):
    """`counted`: what Athena counted in the files, in the order of COUNTS; texts, as its answers
    are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: ListedDay
    counted: Annotated[list[Count], Field(min_length=len(COUNTS), max_length=len(COUNTS))]
