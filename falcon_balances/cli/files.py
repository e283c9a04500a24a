"""Reads JSON Lines files: lines with their numbers, and the lines that are refused."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.domain.errors import RejectedOperation

FileArgument = Annotated[
    Path, typer.Argument(help="A file of JSON Lines.", exists=True, dir_okay=False, readable=True)
]
_SAID_MAX = 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileLine:
    number: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A refused line. `code` is one of design §9; the reason names the field."""

    line: int
    code: str
    reason: str


def lines_of(path: Path) -> Iterator[FileLine]:
    """Every line that is not empty, unchanged, numbered from 1."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            line = raw.removesuffix(b"\n")
            if line.strip():
                yield FileLine(number, line)


def check(
    lines: Sequence[FileLine], parse: Callable[[bytes], T]
) -> tuple[list[T], list[WrongLine]]:
    """The parsed lines, and the lines that are refused."""
    said: list[T] = []
    wrong: list[WrongLine] = []
    for line in lines:
        try:
            said.append(parse(line.raw))
        except RejectedOperation as rejected:
            wrong.append(WrongLine(line.number, rejected.code, rejected.reason))
    return said, wrong


def refuse(path: Path, wrong: Sequence[WrongLine], consequence: str) -> None:
    """Raises InvalidInputError if lines are wrong, after printing the first twenty."""
    if not wrong:
        return
    for line in wrong[:_SAID_MAX]:
        output.note(f"{path}:{line.line}: {line.code} {line.reason}")
    said = output.count(len(wrong), "line is", "lines are")
    raise InvalidInputError(f"{said} wrong in {path}; {consequence}")
