"""Keeps lines compactly in claims and marks: a text that several lines share is kept once.

A row holds the line's own uuid and amount. For every other column, the texts that occur are kept
once each, and a row refers to them by number if there are several. All lines of an event repeat the
event's own fields, so most columns have one text. The log's exact bytes can be restored from this.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from falcon_balances.domain.log_format import body_of_rows, fields_of, line_of, parse_csv_body
from falcon_balances.domain.log_grammar import COLUMNS
from falcon_balances.domain.operations import BalanceOperation, OperationType

# The texts by column, in the order of their first line; a column that is empty in every line is
# left out.
Texts = dict[str, tuple[str, ...]]
_OWN: Final = ("uuid", "amount")
_NAMED: Final = tuple(name for name in COLUMNS if name not in _OWN)
_PLACE: Final = {name: place for place, name in enumerate(COLUMNS)}


def texts_of(lines: Sequence[BalanceOperation]) -> Texts:
    """The texts of all lines that are kept together, by column."""
    rows = [fields_of(line) for line in lines]
    found = {name: tuple(dict.fromkeys(row[_PLACE[name]] for row in rows)) for name in _NAMED}
    return {name: texts for name, texts in found.items() if any(texts)}


def rows_of(lines: Sequence[BalanceOperation], texts: Mapping[str, Sequence[str]]) -> list[str]:
    """One row for each line: `{uuid},{amount}`, then a number for each column with several texts.

    The number is the position of the line's text among that column's texts. Columns are in the
    log's order.
    """
    numbers = {
        name: {text: str(n) for n, text in enumerate(texts[name])} for name in _of_several(texts)
    }
    return [
        ",".join(
            (
                row[_PLACE["uuid"]],
                row[_PLACE["amount"]],
                *(known[row[_PLACE[name]]] for name, known in numbers.items()),
            )
        )
        for row in map(fields_of, lines)
    ]


def fields_of_rows(
    rows: Sequence[str], texts: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, ...]]:
    """The fields of each line, in the order of COLUMNS. Raises ValueError."""
    several = _of_several(texts)
    single = {name: texts[name][0] for name in texts if name not in several}
    for row in rows:
        uuid, amount, *numbers = row.split(",")
        said = {"uuid": uuid, "amount": amount, **single}
        for name, number in zip(several, numbers, strict=True):
            try:
                said[name] = texts[name][int(number)]
            except IndexError as error:
                raise ValueError(f"{name}: a row refers to a text that does not exist") from error
        yield tuple(said.get(name, "") for name in COLUMNS)


def lines_of_rows(
    rows: Sequence[str], texts: Mapping[str, Sequence[str]]
) -> tuple[BalanceOperation, ...]:
    """The lines in the rows. Raises ValueError."""
    place = _PLACE["type"]
    return tuple(
        line_of(fields, OperationType(fields[place])) for fields in fields_of_rows(rows, texts)
    )


def compact_text(lines: Sequence[BalanceOperation]) -> str:
    """The lines as one text for a mark; no field can contain a comma or a bar.

    First the texts of each column in the log's order, separated by bars; then the rows. The text
    stays below 40 KB whatever a PSP sends, although a log object of the same lines can have 251 KB;
    DynamoDB allows 400 KB per item.
    """
    texts = texts_of(lines)
    named = ",".join("|".join(texts.get(name, ())) for name in _NAMED)
    return "\n".join((named, *rows_of(lines, texts)))


def lines_of_text(text: str) -> tuple[BalanceOperation, ...]:
    """The lines in a text of `compact_text`. Raises ValueError for lines that the log could not
    hold.
    """
    named, *rows = text.split("\n")
    columns = [column.split("|") for column in named.split(",")]
    texts = dict(zip(_NAMED, columns, strict=True))
    return parse_csv_body(body_of_rows(",".join(each) for each in fields_of_rows(rows, texts)))


def _of_several(texts: Mapping[str, Sequence[str]]) -> list[str]:
    return [name for name in _NAMED if len(texts.get(name, ())) > 1]
