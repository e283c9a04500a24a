"""One file of millions of lines, as `falcon audit export` writes it: made fast, checked as any."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.extracts import CSV_SCHEMA, csv_file, parquet_file
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


def write_large(folder: Path, lines: int) -> tuple[Path, Path]:
    """The same log as CSV and as Parquet, `lines` long to within a few."""
    as_csv, as_parquet = folder / "large.csv", folder / "large.parquet"
    with ExitStack() as open_files:
        add_csv = open_files.enter_context(csv_file(as_csv))
        add_parquet = open_files.enter_context(parquet_file(as_parquet))
        for table in tables(lines):
            add_csv(table)
            add_parquet(table)
    return as_csv, as_parquet


def tables(lines: int) -> Iterator[pa.Table]:
    """Captures with a fee, confirmed and reconciled; every tenth is of two merchants.

    One of eight was traced with another amount, or as a refund.
    """
    rng = np.random.default_rng(7)
    events = round(lines / _LINES_PER_EVENT)
    ids = _uuids(rng, events)
    minor = rng.integers(100, 50_000, events)
    first = rng.integers(0, _MERCHANTS, events)
    twofold = np.arange(0, events, 10)
    second = (first[twofold] + rng.integers(1, _MERCHANTS, len(twofold))) % _MERCHANTS
    event = np.concatenate([np.arange(events), twofold])
    merchant = np.concatenate([first, second])
    part, parts = _parts(first, twofold, second, events)
    # As the export comes by them: stage by stage, merchants and days in order.
    order = np.lexsort((event, event % _DAYS, merchant))
    per_table = _LINES_PER_TABLE // 2
    for stage in (Stage.CONFIRMED, Stage.RECONCILED):
        if stage is Stage.RECONCILED:
            minor = _traced(minor)
        for start in range(0, len(order), per_table):
            some = order[start : start + per_table]
            which = event[some]
            yield _table(
                rng, stage, merchant[some], part[some], parts[some], which, ids[which], minor[which]
            )


def _traced(minor: Numbers) -> Numbers:
    """As `bench.logs.traced`."""
    n = np.arange(len(minor)) % 24
    return np.select([n == 3, n == 11, n == 19], [2 * minor, minor // 2, -minor], minor)  # noqa: PLR2004


def _parts(
    first: Numbers, twofold: Numbers, second: Numbers, events: int
) -> tuple[Numbers, Numbers]:
    """Merchants are numbered in the order of their ids, within each event."""
    part = np.ones(events + len(twofold), dtype=np.int64)
    parts = np.ones_like(part)
    parts[twofold] = parts[events:] = 2
    part[twofold] = np.where(first[twofold] < second, 1, 2)
    part[events:] = 3 - part[twofold]
    return part, parts


def _table(
    rng: np.random.Generator,
    stage: Stage,
    merchant: Numbers,
    part: Numbers,
    parts: Numbers,
    event: Numbers,
    ids: Texts,
    minor: Numbers,
) -> pa.Table:
    count = 2 * len(event)
    amount = np.empty(count, dtype=np.int64)
    amount[::2], amount[1::2] = minor, -(minor // 100) - 1
    owner = np.repeat(merchant, 2)
    number = pa.array(np.repeat(event, 2)).cast(pa.string())
    columns = {
        "stage": pa.array([str(stage)] * count),
        "merchant_id": _named("m-", owner),
        "part": np.repeat(part, 2),
        "parts": np.repeat(parts, 2),
        "uuid": _texts(_uuids(rng, count)),
        "external_reference": pc.binary_join_element_wise("order", number, "-"),
        "amount": _decimals(amount).cast(pa.string()),
        "currency": pa.array(["EUR"] * count),
        "type": pa.array(["capture", "psp_fee"] * len(event)),
        "falcon_operation_id": _texts(np.repeat(ids, 2, axis=0)),
        "operation_date": _dates(np.repeat(event % _DAYS, 2)),
        "local_merchant_id": _named("l-m-", owner),
        "shop_id": _named("shop-m-", owner),
        "balance_shop_id": _named("bs-m-", owner),
        "psp_id": pa.array(["psp-1"] * count),
    }
    return pa.table(columns).cast(CSV_SCHEMA)


def _named(prefix: str, numbers: Numbers) -> pa.StringArray:
    names = pa.array([f"{prefix}{n}" for n in range(_MERCHANTS)])
    return names.take(pa.array(numbers))


def _dates(days: Numbers) -> pa.StringArray:
    names = pa.array([f"2026-10-{day + 1:02d}T10:00:00Z" for day in range(_DAYS)])
    return names.take(pa.array(days))


def _decimals(minor: Numbers) -> pa.Decimal128Array:
    """Of two decimals: 128 bits each, the sign in all of the upper half."""
    words = np.stack([minor, minor >> 63], axis=1)
    return pa.Array.from_buffers(
        pa.decimal128(19, 2), len(minor), [None, pa.py_buffer(words.tobytes())]
    )


def _uuids(rng: np.random.Generator, count: int) -> Texts:
    """Rows of 36 characters; of 128 random bits, none comes twice."""
    digits = _HEX.reshape(256, 2)[rng.integers(0, 256, (count, 16), dtype=np.uint8)]
    rows = np.full((count, _UUID_LENGTH), ord("-"), dtype=np.uint8)
    places = [place for place in range(_UUID_LENGTH) if place not in _DASHES]
    rows[:, places] = digits.reshape(count, 32)
    return rows


def _texts(rows: Texts) -> pa.StringArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * _UUID_LENGTH
    return pa.StringArray.from_buffers(
        len(rows), pa.py_buffer(offsets.tobytes()), pa.py_buffer(rows.tobytes())
    )
