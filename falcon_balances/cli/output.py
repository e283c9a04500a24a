"""Prints data on stdout, messages and progress on stderr. No other module prints.

Text from outside (names, reasons, bodies) can contain terminal control sequences, so all text is
printed with them escaped. JSON is printed as ASCII, which escapes them already.
"""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_WIDE = 10_000  # the width of a table outside a terminal, so that nothing is cut or wrapped

# Unicode's categories: control, formatting (bidirectional overrides), lone surrogates, private use,
# unassigned, line separators, paragraph separators.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str, *, keep: str = "") -> str:
    """The text, in which each character that a terminal would obey or hide is escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in keep or unicodedata.category(character) not in _HIDDEN_CATEGORIES
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def line(text: str) -> None:
    """Prints one line on stdout."""
    sys.stdout.write(visible(text) + "\n")


def document(value: object) -> None:
    """Prints one JSON document on stdout. Amounts are strings and stay unchanged."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def json_lines(values: Iterable[object]) -> None:
    for value in values:
        sys.stdout.write(json.dumps(value) + "\n")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()
) -> None:
    """Prints a table on stdout; the columns named in `right` are aligned right."""
    from rich import box  # noqa: PLC0415 - rich costs more than most commands
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    to_the_right = frozenset(right)
    grid = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        grid.add_column(
            Text(visible(column)),
            justify="right" if column in to_the_right else "left",
            overflow="fold",
        )
    for row in rows:
        grid.add_row(*(Text(visible(_shown(cell))) for cell in row))
    console = Console()
    (console if console.is_terminal else Console(width=_WIDE)).print(grid)


def pairs(values: Mapping[str, object]) -> None:
    """Prints names and values, one pair per line."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        sys.stdout.write(f"{visible(name):<{width}}  {visible(_shown(value))}\n")


def single(value: Mapping[str, object], *, as_json: bool) -> None:
    """Prints one document, as JSON or as names and values."""
    (document if as_json else pairs)(value)


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 line`, `2 lines`. `many`: an irregular plural."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def note(text: str) -> None:
    _message(text)


def warn(text: str) -> None:
    _message(f"warning: {text}")


def fail(text: str) -> None:
    _message(f"error: {text}")


def _message(text: str) -> None:
    # Flushing stdout first keeps the order if both streams go to the same place.
    sys.stdout.flush()
    sys.stderr.write(visible(text, keep="\n\t") + "\n")
    sys.stderr.flush()


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """Shows the step of a long job on stderr, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console  # noqa: PLC0415 - rich costs more than most commands

    with Console(stderr=True).status(visible(title)) as status:
        yield lambda step: status.update(f"{visible(title)}: {visible(step)}")


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Shows a progress bar on stderr, if stderr is a terminal; the yielded function advances it."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich import progress as bars  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415 - rich costs more than most commands

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(visible(title), total=total)
        yield lambda count: bar.update(task, advance=count)
