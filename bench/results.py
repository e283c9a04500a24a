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

_WIDTH = 120  # where nobody watches


@dataclass(frozen=True, slots=True)
class Column:
    """`key` in the rows and in JSON; `header` in the table, with the unit."""

    key: str
    header: str
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """Only what is the same on every machine, a count or a fact, fails the run; a time does not."""

    text: str
    holds: bool
    fails_the_run: bool


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    title: str
    columns: Sequence[Column]
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
    for column in result.columns:
        is_number = all(not isinstance(row[column.key], str) for row in result.rows)
        table.add_column(Text(column.header), justify="right" if is_number else "left")
    for row in result.rows:
        table.add_row(*(_shown(row[column.key], column.decimals) for column in result.columns))
    console.print(table)
    for note in result.notes:
        console.print(Text(f"  {note}"), style="dim")
    for bound in result.bounds:
        _print_bound(console, bound)
    console.print()


def _print_bound(console: Console, bound: Bound) -> None:
    reported = "" if bound.fails_the_run else " (reported only)"
    said = "ok " if bound.holds else "NOT"
    console.print(Text(f"  {said}  {bound.text}{reported}"), style="" if bound.holds else "red")


def _shown(cell: Cell, decimals: int) -> str:
    return cell if isinstance(cell, str) else f"{cell:,.{decimals}f}"


def print_json(results: Sequence[Result]) -> None:
    document = {
        "results": [result.as_document() for result in results],
        "broken": [result.name for result in results if result.is_broken],
    }
    print(json.dumps(document, indent=2))
