"""Which files `falcon audit export` wrote: one, or a folder of them.

A file that is not an export is refused here; a line that is not as export writes it is left to
the reader of its block.
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
    """The file, or those of a folder that holds nothing else; raises NotExportedError."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    if not files:
        raise NotExportedError(f"{path} is empty")
    return [_exported_file(each) for each in files]


def is_exported(path: Path) -> bool:
    """No log of objects: a file, or a folder of Parquet or CSV files without folders in it."""
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
