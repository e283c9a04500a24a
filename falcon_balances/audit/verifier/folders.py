"""Lists the files in a folder of the log, sealed or not."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .findings import Discrepancy, Problems

KEY_MAX = 1_024  # bytes of a key in S3


class Found(NamedTuple):
    """The numbers of all files and of plain files below a folder, and its unreadable folders."""

    files: int
    plain_files: int
    problems: Problems


def found_in(log: Path | None) -> Found:
    """Counts the files below a folder; links are not followed. An unreadable folder is a problem,
    because it could hold foreign files.
    """
    problems = Problems()
    plain = [] if log is None else [is_plain for _, is_plain in files_below(str(log), problems)]
    return Found(len(plain), sum(plain), problems)


def files_below(root: str, problems: Problems) -> Iterator[tuple[str, bool]]:
    """Paths, and whether each is a plain file."""
    folders = [""]
    while folders:
        inner = folders.pop()
        prefix = f"{inner}/" if inner else ""
        try:
            with os.scandir(f"{root}/{inner}") as found:
                for each in found:
                    if each.is_dir(follow_symlinks=False):
                        folders.append(prefix + each.name)
                    else:
                        yield prefix + each.name, each.is_file(follow_symlinks=False)
        except OSError as error:
            problems.append(Discrepancy(inner[-KEY_MAX:] or root, f"unreadable: {error.strerror}"))
