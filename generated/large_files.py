"""Closed days of millions of lines, made fast, but as valid as those of a journal."""

from collections.abc import Iterable, Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from falcon_balances.audit.duckdb_session import files, session
from falcon_balances.audit.extracts import CSV_SCHEMA, parquet_file
from falcon_balances.audit.line_grammar import uuids_named
from falcon_balances.audit.sql import text
from falcon_balances.contracts.closed_day_query import ROW_COLUMNS
from falcon_balances.contracts.closed_days import (
    DESCRIPTION,
    ClosedDayV1,
    ParquetFileV1,
    closed_day_of,
    day_folder,
)
from falcon_balances.domain.log_grammar import COLUMNS
from falcon_balances.domain.operations import Stage

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Texts = np.ndarray[Any, np.dtype[np.uint8]]

_LINES_PER_EVENT: Final = 2 * 2 * 1.1  # stages, lines, merchants
_LINES_PER_TABLE: Final = 16_000  # as export does
_MERCHANTS: Final = 320
_DAYS: Final = 30
_HEX: Final = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint8)
_UUID_LENGTH: Final = 36
_DASHES: Final = (8, 13, 18, 23)
# All lines of an operation at a merchant are on one balance here, and in EUR.
_ROWS: Final = f"""
create table rows as
with standings as (
  select *, cast(part as text) || '-of-' || cast(parts as text) as parts_text,
    cast(100 * coalesce(sum(amount) filter (stage = 'confirmed') over standing, 0) as bigint) as c,
    cast(100 * coalesce(sum(amount) filter (stage = 'reconciled') over standing, 0) as bigint) as r,
    row_number() over (standing order by stage, uuid) as nth,
    row_number() over (partition by merchant_id, falcon_operation_id, stage order by uuid) as line
  from lines window standing as (partition by merchant_id, falcon_operation_id)
)
select operation_date[:10] || 'T10:00:00Z' as quarter, merchant_id, stage, revision, part, parts,
  cast(line as smallint) as line, {", ".join(COLUMNS)},
  cast(if(nth = 1, greatest(c, 0) - greatest(least(c, r), 0), 0) as decimal(38, 0)) as pending,
  cast(if(nth = 1, greatest(r, 0) - greatest(least(c, r), 0), 0) as decimal(38, 0)) as unapplied,
  cast(if(nth = 1, least(c, 0) - least(c, r, 0), 0) as decimal(38, 0)) as debits_unconfirmed,
  cast(if(nth = 1, least(r, 0) - least(c, r, 0), 0) as decimal(38, 0)) as debits_untraced,
  cast(if(nth = 1, least(c, r), 0) as decimal(38, 0)) as available,
  stage || '/merchant_id=' || merchant_id || '/date=' || operation_date[:10] || '/'
    || falcon_operation_id || if(parts = 1, '', '.' || parts_text) || '.csv' as log_key,
  sha256(falcon_operation_id)[:32] as version_id, sha256(uuid) as sha256
from standings"""  # noqa: S608


def write_closed(folder: Path, some: Iterable[pa.Table]) -> Path:
    """The lines of tables of CSV_SCHEMA, in the order of their objects, as closed days: each event
    counted on the day of its operation date, and its effect with its first line. Returns `closed`.
    """
    made = folder / "closed"
    made.mkdir(parents=True)
    with session() as engine, TemporaryDirectory(dir=folder) as name:
        path = Path(name) / "lines.parquet"
        with parquet_file(path) as add:
            for table in some:
                add(table)
        engine.execute(f"create view lines as select * from read_parquet({files([path])})")  # noqa: S608
        engine.execute(_ROWS)
        said = None
        for (day,) in engine.execute(
            "select distinct quarter[:10] from rows order by 1"
        ).fetchall():
            said = _day(engine, made, date.fromisoformat(day), said)
    return made


def _day(
    engine: DuckDBPyConnection, made: Path, day: date, before: ClosedDayV1 | None
) -> ClosedDayV1:
    folder = made / day_folder(day)
    folder.mkdir()
    path = folder / "lines.parquet"
    of_day = f"from rows where quarter[:10] = '{day}'"
    order = "merchant_id, falcon_operation_id, stage, revision, part, line"
    engine.execute(
        f"copy (select {', '.join(ROW_COLUMNS)} {of_day} order by {order}) to {text(str(path))} "
        "(format parquet, compression zstd)"
    )
    counted = engine.execute(f"select count(distinct log_key), count(*) {of_day}").fetchone()
    segments, lines = counted or (0, 0)
    body = path.read_bytes()
    file = ParquetFileV1(name=path.name, sha256=sha256(body).hexdigest(), size=len(body))
    said = closed_day_of(day, before.digest if before else None, {}, segments, lines, (file,))
    (folder / DESCRIPTION).write_bytes(said.bytes_written)
    return said


def write_large(folder: Path, lines: int) -> Path:
    """Closed days of `lines` lines, to within a few."""
    return write_closed(folder, tables(lines))


def tables(lines: int) -> Iterator[pa.Table]:
    """Captures with a fee, confirmed and reconciled; every tenth has two merchants.

    One of eight was traced with another amount or another fee.
    """
    rng = np.random.default_rng(7)
    events = round(lines / _LINES_PER_EVENT)
    ids = _texts_of(_random_uuids(rng, events))
    minor = rng.integers(100, 50_000, events)
    first = rng.integers(0, _MERCHANTS, events)
    twofold = np.arange(0, events, 10)
    second = (first[twofold] + rng.integers(1, _MERCHANTS, len(twofold))) % _MERCHANTS
    event = np.concatenate([np.arange(events), twofold])
    merchant = np.concatenate([first, second])
    part, parts = _parts(first, twofold, second, events)
    # The export's order: stage by stage, then by merchant and day.
    order = np.lexsort((event, event % _DAYS, merchant))
    per_table = _LINES_PER_TABLE // 2
    for stage in (Stage.CONFIRMED, Stage.RECONCILED):
        amount, fee = _said(stage, minor)
        for start in range(0, len(order), per_table):
            some = order[start : start + per_table]
            which = event[some]
            yield _table(
                _Events(
                    stage,
                    merchant[some],
                    part[some],
                    parts[some],
                    which,
                    ids[which],
                    amount[which],
                    fee[which],
                )
            )


def _said(stage: Stage, minor: Numbers) -> tuple[Numbers, Numbers]:
    """Amounts and fees in a stage; reconciled ones are as in `generated.logs.traced`."""
    fee = minor // 100 + 1
    if stage is Stage.CONFIRMED:
        return minor, fee
    n = np.arange(len(minor)) % 24
    return (
        np.select([n == 3, n == 11], [2 * minor, minor // 2], minor),  # noqa: PLR2004
        np.where(n == 19, 2 * minor, fee),  # noqa: PLR2004
    )


def _parts(
    first: Numbers, twofold: Numbers, second: Numbers, events: int
) -> tuple[Numbers, Numbers]:
    """Each segment's number within its event, by merchant id, and how many the event has."""
    part = np.ones(events + len(twofold), dtype=np.int64)
    parts = np.ones_like(part)
    parts[twofold] = parts[events:] = 2
    part[twofold] = np.where(first[twofold] < second, 1, 2)
    part[events:] = 3 - part[twofold]
    return part, parts


class _Events(NamedTuple):
    """Events of one stage: columns of equal length, with a row for each event and merchant."""

    stage: Stage
    merchant: Numbers
    part: Numbers
    parts: Numbers
    number: Numbers
    ids: Texts
    amount: Numbers
    fee: Numbers


def _table(some: _Events) -> pa.Table:
    count = 2 * len(some.number)
    minor = np.empty(count, dtype=np.int64)
    minor[::2], minor[1::2] = some.amount, -some.fee
    owner = np.repeat(some.merchant, 2)
    number = pa.array(np.repeat(some.number, 2)).cast(pa.string())
    merchants, shops = _named("m-", owner), _named("bs-m-", owner)
    types = pa.array(["capture", "psp_fee"] * len(some.number))
    ids = _texts(np.repeat(some.ids, 2, axis=0))
    stages, nothing = pa.array([str(some.stage)] * count), pa.array([""] * count)
    # Each line is the first of its merchant, balance and type in its object.
    names = pc.binary_join_element_wise(ids, stages, merchants, shops, types, "0", "|")
    is_traced = some.stage is Stage.RECONCILED
    columns = {
        "stage": stages,
        "merchant_id": merchants,
        "revision": pa.array(np.ones(count, dtype=np.int16)),
        "part": np.repeat(some.part, 2),
        "parts": np.repeat(some.parts, 2),
        **dict.fromkeys(COLUMNS, nothing),
        "uuid": _texts(_texts_of(uuids_named(names))),
        "external_reference": pc.binary_join_element_wise("order", number, "-"),
        "amount": _decimals(minor).cast(pa.string()),
        "currency": pa.array(["EUR"] * count),
        "type": types,
        "falcon_operation_id": ids,
        "operation_date": _dates(np.repeat(some.number % _DAYS, 2)),
        "local_merchant_id": _named("l-m-", owner),
        "shop_id": _named("shop-m-", owner),
        "balance_shop_id": shops,
        "psp_id": pa.array(["psp-1"] * count),
        "bank_reference": (
            pc.binary_join_element_wise("bank", number, "-") if is_traced else nothing
        ),
    }
    return pa.table(columns).cast(CSV_SCHEMA)


def _named(prefix: str, numbers: Numbers) -> pa.StringArray:
    names = pa.array([f"{prefix}{n}" for n in range(_MERCHANTS)])
    return names.take(pa.array(numbers))


def _dates(days: Numbers) -> pa.StringArray:
    names = pa.array([f"2026-10-{day + 1:02d}T10:00:00Z" for day in range(_DAYS)])
    return names.take(pa.array(days))


def _decimals(minor: Numbers) -> pa.Decimal128Array:
    """Decimals with two places, 128 bits each: the sign fills the upper half."""
    words = np.stack([minor, minor >> 63], axis=1)
    return pa.Array.from_buffers(
        pa.decimal128(19, 2), len(minor), [None, pa.py_buffer(words.tobytes())]
    )


def _random_uuids(rng: np.random.Generator, count: int) -> Texts:
    """Rows of 16 bytes in the form of name-based uuids; with 122 random bits, none comes twice."""
    rows = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    rows[:, 6] = rows[:, 6] & 0x0F | 0x50
    rows[:, 8] = rows[:, 8] & 0x3F | 0x80
    return rows


def _texts_of(uuids: Texts) -> Texts:
    """The uuids as texts: rows of 36 characters."""
    rows = np.full((len(uuids), _UUID_LENGTH), ord("-"), dtype=np.uint8)
    places = [place for place in range(_UUID_LENGTH) if place not in _DASHES]
    rows[:, places] = _HEX.reshape(256, 2)[uuids].reshape(-1, 32)
    return rows


def _texts(rows: Texts) -> pa.StringArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * _UUID_LENGTH
    return pa.StringArray.from_buffers(
        len(rows), pa.py_buffer(offsets.tobytes()), pa.py_buffer(rows.tobytes())
    )
