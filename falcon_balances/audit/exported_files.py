"""Finds the files that `falcon audit export` wrote: one file, or a folder of them.

This module refuses a file that is not an export; the reader of a block checks its lines.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from falcon_balances.audit.exported_blocks import ExportedFile, NotExportedError
from falcon_balances.audit.exported_csv import CsvFile
from falcon_balances.audit.exported_parquet import ParquetFile

_READERS: Final[Mapping[str, Callable[[Path], ExportedFile]]] = {
    ".parquet": ParquetFile,
    ".csv": CsvFile,
}


def exported_files(path: Path) -> list[ExportedFile]:
    """The file, or all files of the folder. Raises NotExportedError if one is not an export."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    if not files:
        raise NotExportedError(f"{path} is empty")
    return [_exported_file(each) for each in files]


def is_exported(path: Path) -> bool:
    """Whether the path is a file, or a folder of only Parquet or CSV files; a log has folders."""
    if not path.is_dir():
        return path.is_file()
    found = list(path.iterdir())
    return bool(found) and all(each.is_file() and each.suffix in _READERS for each in found)


def _exported_file(path: Path) -> ExportedFile:
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise NotExportedError(f"{path.name}: neither {' nor '.join(_READERS)}")
    try:
        return reader(path)
    except OSError as error:
        raise NotExportedError(f"{path.name}: {error.strerror or 'cannot be read'}") from error
