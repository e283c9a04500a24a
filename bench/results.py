"""A result: rows of numbers with their bounds, printed as a table and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell = str | int | float
Row = Mapping[str, Cell]
# By key in the rows and in JSON: the header with its unit, and how many decimals are shown.
Columns = Mapping[str, str | tuple[str, int]]

_WIDTH = 120  # if the output is no terminal


@dataclass(frozen=True, slots=True)
class Bound:
    """Only counts and facts, equal on every machine, fail the run; times and memory do not."""

    text: str
    holds: bool
    fails_the_run: bool = True


def reported(text: str, *, holds: bool) -> Bound:
    """A bound of time or memory, which is reported but does not fail the run."""
    return Bound(text, holds, fails_the_run=False)


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    title: str
    columns: Columns
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    bounds: Sequence[Bound] = ()

    @property
    def is_broken(self) -> bool:
        return any(bound.fails_the_run and not bound.holds for bound in self.bounds)

    def as_document(self) -> dict[str, object]:
        return {
            "name": self.name,
            "title": self.title,
            "rows": [dict(row) for row in self.rows],
            "notes": list(self.notes),
            "bounds": [asdict(bound) for bound in self.bounds],
        }


def print_table(result: Result) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    table = Table(title=result.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    shown: list[list[str]] = []
    for key, column in result.columns.items():
        header, decimals = (column, 0) if isinstance(column, str) else column
        cells = [row[key] for row in result.rows]
        is_number = not any(isinstance(cell, str) for cell in cells)
        table.add_column(Text(header), justify="right" if is_number else "left")
        shown.append([cell if isinstance(cell, str) else f"{cell:,.{decimals}f}" for cell in cells])
    for row in zip(*shown, strict=True):
        table.add_row(*row)
    console.print(table)
    for note in result.notes:
        console.print(Text(f"  {note}"), style="dim")
    for bound in result.bounds:
        only = "" if bound.fails_the_run else " (reported only)"
        text = f"  {'ok ' if bound.holds else 'NOT'}  {bound.text}{only}"
        console.print(Text(text), style="" if bound.holds else "red")
    console.print()


def print_json(results: Sequence[Result]) -> None:
    document = {
        "results": [result.as_document() for result in results],
        "broken": [result.name for result in results if result.is_broken],
    }
    print(json.dumps(document, indent=2))
