"""A folder of closed days, checked: `date=YYYY-MM-DD/` with Parquet files and their description.

Each description names the SHA-256 of its files and of the description before it. So a check
names each file that was edited, truncated, added or removed, and each day that is missing or was
replaced. Nobody signed the descriptions: only the log's objects and their manifests prove the
lines.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

from falcon_balances.contracts.closed_days import (
    DESCRIPTION,
    ClosedDayV1,
    ParquetFileV1,
    day_folder,
)
from falcon_balances.domain.errors import IntegrityError

_AT_ONCE = 2


class DayInFolder(NamedTuple):
    folder: Path
    said: ClosedDayV1

    @property
    def files(self) -> list[Path]:
        return [self.folder / each.name for each in self.said.files]


def is_closed_days(path: Path) -> bool:
    """Whether the folder holds a closed day; the folders of a log are its stages."""
    return path.is_dir() and any(path.glob(f"date=*/{DESCRIPTION}"))


def described(folder: Path) -> list[DayInFolder]:
    """The days in the folder by date; their files are not read. Raises IntegrityError.

    It reads one small file per day, and keeps two kilobytes of it in memory.
    """
    names = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
    days = [_described(folder / name) for name in names]
    check_chain([day.said for day in days])
    return days


def check_chain(days: Sequence[ClosedDayV1]) -> None:
    """Raises IntegrityError unless each day continues the one before it, from the first day on."""
    for before, after in zip([None, *days], days, strict=False):
        _check_follows(before, after)


def _described(folder: Path) -> DayInFolder:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise IntegrityError(f"{folder.name}: is not a closed day: it has no {DESCRIPTION}")
    body = path.read_bytes()
    said = ClosedDayV1.read(f"{folder.name}/{DESCRIPTION}", body)
    if folder.name != day_folder(said.day):
        raise IntegrityError(f"{folder.name}: its description is that of {said.date}")
    return DayInFolder(folder, said)


def _check_follows(before: ClosedDayV1 | None, day: ClosedDayV1) -> None:
    name = day_folder(day.day)
    if before is None:
        if not day.is_first:
            raise IntegrityError(f"{name}: the days before it are missing")
        return
    expected = before.day + timedelta(days=1)
    if day.day != expected:
        raise IntegrityError(f"{day_folder(expected)}: is missing")
    if day.previous != before.digest:
        raise IntegrityError(f"{name}: does not continue {day_folder(before.day)}")


def check_files(days: Sequence[DayInFolder]) -> int:
    """The size of all files in bytes; every byte is read. Raises IntegrityError for a file that is
    not the one that its day names.
    """
    for day in days:
        _check_names(day)
    each_file = [(day, said) for day in days for said in day.said.files]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return sum(pool.map(_size_of, each_file))


def _check_names(day: DayInFolder) -> None:
    found = {
        each.relative_to(day.folder).as_posix()
        for each in day.folder.rglob("*")
        if each.is_symlink() or not each.is_dir()
    } - {DESCRIPTION}
    named = {each.name for each in day.said.files}
    for name in sorted(found - named):
        raise IntegrityError(f"{day.folder.name}/{name}: the day does not name this file")
    for name in sorted(named - found):
        raise IntegrityError(f"{day.folder.name}/{name}: is missing")


def _size_of(one: tuple[DayInFolder, ParquetFileV1]) -> int:
    day, said = one
    path = day.folder / said.name
    place = f"{day.folder.name}/{said.name}"
    if path.is_symlink() or not path.is_file():
        raise IntegrityError(f"{place}: is not a plain file")
    if path.stat().st_size != said.size:
        raise IntegrityError(f"{place}: was changed: it has another size than when it was closed")
    with path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != said.sha256:
            raise IntegrityError(f"{place}: was changed: its bytes are not those that were closed")
    return said.size


def files_of(days: Iterable[DayInFolder]) -> list[Path]:
    return [path for day in days for path in day.files]


def days_between(first: date, until: date) -> Iterator[date]:
    """The days from `first` on and before `until`."""
    for number in range((until - first).days):
        yield first + timedelta(days=number)
