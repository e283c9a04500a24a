"""The files beside the Parquet of closed days: how far the journal was fetched, and what a day is.

Each file has only one valid form, byte by byte; readers refuse every other form.
"""

from collections.abc import Mapping
from datetime import date, datetime
from hashlib import sha256
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.journal import JournalPosition

DESCRIPTION: Final = "_day.json"
"""Its name begins with `_`, so Athena does not read it as data."""
Day = date
_STRICT: Final = ConfigDict(strict=True, frozen=True, extra="forbid")


def _position(text: str) -> str:
    JournalPosition.parse(text)
    return text


def _day(text: str) -> str:
    if Day.fromisoformat(text).isoformat() != text:
        raise ValueError("must be a day, such as 2026-11-20")
    return text


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Positions = dict[str, Annotated[str, AfterValidator(_position)]]
_NOTHING_BEFORE: Final = "0" * 64


class _File(BaseModel):
    model_config = _STRICT

    @property
    def bytes_written(self) -> bytes:
        return f"{self.model_dump_json(indent=1)}\n".encode()

    @property
    def digest(self) -> str:
        """The SHA-256 of the bytes written."""
        return sha256(self.bytes_written).hexdigest()

    @classmethod
    def read(cls, place: str, body: bytes) -> Self:
        """The document. Raises IntegrityError, naming `place`, for bytes that we never write."""
        try:
            said = cls.model_validate_json(body)
        except ValueError as error:
            raise IntegrityError(f"{place}: does not match its contract") from error
        if said.bytes_written != body:
            raise IntegrityError(f"{place}: is not written in the only form that it can have")
        return said


class JournalEndsV1(_File):
    """How far each shard is journaled by a complete cut. The pages up to there hold everything that
    is counted in quarters that the cut closed.
    """

    schema_version: Literal["1"] = "1"
    cut_at: str
    ends: Positions

    @classmethod
    def of(cls, cut_at: datetime, ends: Mapping[str, JournalPosition]) -> Self:
        return cls(cut_at=rfc3339(cut_at), ends=_texts(ends))

    @property
    def cut(self) -> datetime:
        return parse_rfc3339(self.cut_at)

    @property
    def positions(self) -> dict[str, JournalPosition]:
        return _parsed(self.ends)


class ParquetFileV1(BaseModel):
    """`name` is within the day's folder, at most one folder deep."""

    model_config = _STRICT

    name: Annotated[
        str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9=_-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$")
    ]
    sha256: Digest
    size: Annotated[int, Field(ge=1)]


class ClosedDayV1(_File):
    """A closed UTC day: its files, and where the journal of the next day begins.

    `previous` is the SHA-256 of the description of the day before, so no day between two others can
    be missing or replaced.
    """

    schema_version: Literal["1"] = "1"
    date: Annotated[str, AfterValidator(_day)]
    previous: Digest = _NOTHING_BEFORE
    journal: Positions
    segments: Annotated[int, Field(ge=0)]
    lines: Annotated[int, Field(ge=0)]
    files: tuple[ParquetFileV1, ...]

    @property
    def day(self) -> Day:
        return Day.fromisoformat(self.date)

    @property
    def positions(self) -> dict[str, JournalPosition]:
        return _parsed(self.journal)

    @property
    def is_first(self) -> bool:
        return self.previous == _NOTHING_BEFORE


def _texts(positions: Mapping[str, JournalPosition]) -> dict[str, str]:
    return {shard_id: each.text for shard_id, each in sorted(positions.items())}


def _parsed(texts: Mapping[str, str]) -> dict[str, JournalPosition]:
    return {shard_id: JournalPosition.parse(each) for shard_id, each in texts.items()}


def day_folder(day: Day) -> str:
    return f"date={day.isoformat()}"


def closed_day_of(
    day: Day,
    previous: str | None,
    journal: Mapping[str, JournalPosition],
    segments: int,
    lines: int,
    files: tuple[ParquetFileV1, ...],
) -> ClosedDayV1:
    """`previous` is None for the first day."""
    return ClosedDayV1(
        date=day.isoformat(),
        previous=previous or _NOTHING_BEFORE,
        journal=_texts(journal),
        segments=segments,
        lines=lines,
        files=files,
    )
