"""The SELECT that makes the rows of a closed day from journal pages, for Athena and for DuckDB.

One text runs in both engines. DuckDB has no `to_utf8` and no `to_hex`, and its `sha256` returns
hexadecimal digits; `STAND_INS` are two macros that make the same expression mean the same there.
"""

from datetime import date
from typing import Final

from falcon_balances.domain.available import Joint
from falcon_balances.domain.log_grammar import COLUMNS

# What a journal's page has on the lines below its head; on the head's line all of them are null.
PAGE_COLUMNS: Final = ("window", "effect", "log_key", "version_id", "body")
EFFECTS: Final = Joint._fields
STAND_INS: Final = tuple(
    f"create or replace macro {name}(it) as it" for name in ("to_utf8", "to_hex")
)
# Nineteen digits, and the decimals of the finest currency.
AMOUNT: Final = "decimal(23, 4)"
_EFFECT: Final = "decimal(38, 0)"
_OF_THE_LINE: Final = ("quarter", "merchant_id", "stage", "revision", "part", "parts", "line")
ROW_COLUMNS: Final = (*_OF_THE_LINE, *COLUMNS, *EFFECTS, "log_key", "version_id", "sha256")

_KEY: Final = (
    "^([a-z]+)/merchant_id=([^/]+)/date=[0-9-]+/[0-9a-f-]+"
    "([.]r([0-9]+))?([.]([0-9]+)-of-([0-9]+))?[.]csv$"
)


def closed_day(journal: str, day: date, partition: str = "") -> str:
    """The SELECT of the segments that were counted on a UTC day: a row for each of their lines,
    sorted by merchant and operation.

    `journal` is a table of PAGE_COLUMNS and "$path" with all journal pages that hold entries of
    that day; other entries are passed over. `partition` is a condition on its other columns.

    A segment that several entries repeat comes once, with the version of the first one by path.
    Entries that contradict each other all come: then two rows have the same `log_key` and `line`.

    The five effects of a segment on a balance are in the first row of that balance; its other rows
    have zeros. So each sum over rows is the sum of effects.
    """
    order = "merchant_id, falcon_operation_id, stage, revision, part, line"
    return f"{_rows(journal, f'= {_text(day)}', partition)}\norder by {order}"


def counted_from(journal: str, day: date) -> str:
    """The same of all segments that were counted on this UTC day or later, in no order."""
    return _rows(journal, f">= {_text(day)}")


def _text(day: date) -> str:
    return f"'{day.isoformat()}'"


def _rows(journal: str, days: str, partition: str = "") -> str:
    of_partition = f" and {partition}" if partition else ""
    fields = ",\n    ".join(
        f"split_part(text, ',', {place}) as {name}" for place, name in enumerate(COLUMNS, start=1)
    )
    return f"""\
with entries as (
  select "window" as quarter, effect, log_key, body, min_by(version_id, "$path") as version_id
  from {journal}
  where substr("window", 1, 10) {days}{of_partition}
  group by "window", effect, log_key, body
),
texts as (
  select entries.*, lower(to_hex(sha256(to_utf8(body)))) as sha256, nth - 1 as line, text
  from entries cross join unnest(split(body, chr(10))) with ordinality as lines (text, nth)
  where nth > 1 and text <> ''
),
fields as (
  select *,
    {_of_key(1)} as stage,
    {_of_key(2)} as merchant_id,
    {_number(4)} as revision,
    {_number(6)} as part,
    {_number(7)} as parts,
    {fields}
  from texts
),
effects as (
  select *,
    coalesce(nullif(split_part(split_part(
      concat(',', effect), concat(',', balance_shop_id, '#', currency, '#'), 2
    ), ',', 1), ''), '{"#".join("0" for _ in EFFECTS)}') as changes,
    row_number() over (partition by log_key, body, balance_shop_id, currency order by line) as nth
  from fields
)
select {", ".join(_row())}
from effects"""  # noqa: S608 - our texts


def _of_key(group: int) -> str:
    return f"regexp_extract(log_key, '{_KEY}', {group})"


def _number(group: int) -> str:
    """A number of the key, as SQL; 1 if the key leaves the number out."""
    return f"cast(coalesce(nullif({_of_key(group)}, ''), '1') as smallint)"


def _row() -> list[str]:
    said = {name: name for name in ROW_COLUMNS}
    said["line"] = "cast(line as smallint) as line"
    said["amount"] = f"cast(amount as {AMOUNT}) as amount"
    for place, name in enumerate(EFFECTS, start=1):
        change = f"case when nth = 1 then split_part(changes, '#', {place}) else '0' end"
        said[name] = f"cast({change} as {_EFFECT}) as {name}"
    return list(said.values())
