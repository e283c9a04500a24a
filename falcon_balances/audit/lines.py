"""Parses, checks and sums lines of the log by the hundred thousand, as Arrow columns.

`columns_of` refuses all batches if the log's writer would have written one line differently; the
caller then reads object by object to find that line (`contracts/log_objects.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.ma
import pyarrow as pa
import pyarrow.acero
import pyarrow.compute as pc
from pyarrow import csv

from falcon_balances.audit.line_fields import (
    DAY_LENGTH,
    UUID_LENGTH,
    Words,
    amounts,
    column,
    exponents_of,
    fixed_width,
    hashes_of,
    id_words,
    instants,
    uuids,
)
from falcon_balances.audit.line_grammar import (
    PATTERNED,
    NotAsWrittenError,
    Numbers,
    Place,
    check_fields,
    check_objects,
    check_signs,
    numbers_among,
    uuids_follow,
)
from falcon_balances.audit.log_objects import ObjectBatch, revision_of
from falcon_balances.domain.log_grammar import BODY_BYTES_MAX, COLUMNS, HEADER, LINES_MAX
from falcon_balances.domain.operations import PSP_STAGES

# Modules that Arrow imports on first use: imported now, not again in each forked process.
_IMPORTED_BY_ARROW: Final = (numpy.ma, pyarrow.acero)
_HEADER: Final = f"{HEADER}\n".encode()
# No field contains a quote, so none can hide a comma or a line end from Arrow.
_ALLOWED: Final = bytes(each for each in range(ord(" "), 0x7F) if each not in b'"\\|') + b"\n"
_ENCODED: Final = ("type", *PATTERNED)
_REVISIONS: Final = 100  # above the highest revision
_BLOCK_BYTES: Final = 4 << 20
_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, slots=True)
class LineColumns:
    """Columns of lines. `minor` is in minor units. Equal uuids have equal `hashes`; different uuids
    rarely do.

    `operations` are the 128 bits of each line's falcon_operation_id, as two words.
    """

    currency: pa.DictionaryArray
    type: pa.DictionaryArray
    balance_shop_id: pa.DictionaryArray
    minor: Numbers
    hashes: Words
    owners: Numbers
    operations: Words

    def __len__(self) -> int:
        return len(self.minor)


def columns_of(
    batches: Sequence[ObjectBatch], owners: Sequence[int], before: str | None = None
) -> LineColumns:
    """The lines of whole objects; `owners` has a number for each batch. Raises NotAsWrittenError.

    `before`: only lines dated before this instant (`YYYY-MM-DDTHH:MM:SSZ`).
    """
    table, lines = _parsed(batches)
    sizes = [len(batch.bodies) for batch in batches]
    owner_of_line = np.repeat(np.repeat(np.array(owners, dtype=np.int64), sizes), lines)
    return _columns(table, _minor_of(table), owner_of_line, before)


def whole_lines_of(batches: Sequence[ObjectBatch]) -> tuple[pa.Table, Numbers]:
    """Every column, checked as by `columns_of`, and the number of lines of each object."""
    return _parsed(batches)


def _parsed(batches: Sequence[ObjectBatch]) -> tuple[pa.Table, Numbers]:
    bodies: list[bytes] = []
    counts: list[int] = []
    for batch in batches:
        for body in batch.bodies:
            if not body.startswith(_HEADER) or not body.endswith(b"\n"):
                raise NotAsWrittenError("the header or the final line end is missing")
            if len(body) > BODY_BYTES_MAX:
                raise NotAsWrittenError("larger than a log object can be")
            bodies.append(body[len(_HEADER) :])
            counts.append(body.count(b"\n") - 1)
    if not all(counts):
        raise NotAsWrittenError("the object has no lines")
    if max(counts, default=0) > LINES_MAX:
        raise NotAsWrittenError(f"more than {LINES_MAX} lines")
    lines = np.array(counts, dtype=np.int64)
    table = _parse(b"".join(bodies), int(lines.sum()))
    _check_places(table, batches, lines)
    _check_grammar(table, batches, lines)
    return table, lines


def _parse(blob: bytes, lines: int) -> pa.Table:
    if blob.translate(None, _ALLOWED):
        raise NotAsWrittenError("a character that no field may contain")
    try:
        table = csv.read_csv(
            pa.BufferReader(blob),
            csv.ReadOptions(column_names=COLUMNS, block_size=_BLOCK_BYTES),
            csv.ParseOptions(
                quote_char=False,
                double_quote=False,
                escape_char=False,
                newlines_in_values=False,
                ignore_empty_lines=False,
            ),
            csv.ConvertOptions(
                column_types={
                    name: _DICTIONARY if name in _ENCODED else pa.string() for name in COLUMNS
                },
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as invalid:
        raise NotAsWrittenError("columns") from invalid
    if len(table) != lines:
        raise NotAsWrittenError("lines")
    return table.unify_dictionaries().combine_chunks()


def _check_grammar(table: pa.Table, batches: Sequence[ObjectBatch], lines: Numbers) -> None:
    """Checks everything that `logged_segment` checks in an object (design §6)."""
    sizes = [len(batch.bodies) for batch in batches]
    batch_of_object = np.repeat(np.arange(len(batches)), sizes)
    stages = [batch.partition.stage for batch in batches]
    check_fields(table, stages, np.repeat(batch_of_object, lines))
    revisions = np.array(
        [revision_of(name) for batch in batches for name in batch.names], dtype=np.int64
    )
    may_have_several = np.array([stage in PSP_STAGES for stage in stages], dtype=np.int64)
    check_objects(table, lines, revisions, may_have_several[batch_of_object])
    types = column(table, "type")
    check_signs(types, _minor_of(table), np.repeat(revisions == 1, lines))
    object_of_line = np.repeat(np.arange(len(lines)), lines)
    numbers = numbers_among(object_of_line, [column(table, "balance_shop_id"), types])
    places, place_of_object = _places(batches, batch_of_object, revisions)
    said = uuids(column(table, "uuid"))
    which = np.repeat(place_of_object, lines)
    if not uuids_follow(table, said, places, which, numbers).all():
        raise NotAsWrittenError("uuid is not derived from the line")


def _places(
    batches: Sequence[ObjectBatch], batch_of_object: Numbers, revisions: Numbers
) -> tuple[list[Place], Numbers]:
    """One place per batch and revision, and for each object the index of its place."""
    pairs, which = np.unique(batch_of_object * _REVISIONS + revisions, return_inverse=True)
    found = [divmod(each, _REVISIONS) for each in pairs.tolist()]
    partitions = [(batches[batch].partition, revision) for batch, revision in found]
    places = [Place(each.stage, each.merchant_id, revision) for each, revision in partitions]
    return places, which.reshape(-1)


def _minor_of(table: pa.Table) -> Numbers:
    """Amounts in minor units, each at its currency's full scale. Raises NotAsWrittenError."""
    minor, decimals = amounts(column(table, "amount"))
    if (decimals != exponents_of(column(table, "currency"))).any():
        raise NotAsWrittenError("amount is not written with all decimals of its currency")
    return minor


def _columns(table: pa.Table, minor: Numbers, owners: Numbers, before: str | None) -> LineColumns:
    wanted = None if before is None else pc.less(column(table, "operation_date"), before)
    code = column(table, "currency")
    kind = column(table, "type")
    hashes = hashes_of(uuids(column(table, "uuid")))
    shop = column(table, "balance_shop_id")
    operations = id_words(fixed_width(column(table, "falcon_operation_id"), UUID_LENGTH))
    if wanted is None:
        return LineColumns(code, kind, shop, minor, hashes, owners, operations)
    some = wanted.to_numpy(zero_copy_only=False)
    return LineColumns(
        code.filter(wanted),
        kind.filter(wanted),
        shop.filter(wanted),
        minor[some],
        hashes[some],
        owners[some],
        operations[some],
    )


def _check_places(table: pa.Table, batches: Sequence[ObjectBatch], lines: Numbers) -> None:
    """Checks that every line has the operation and the day of its object's key."""
    names = b"".join(name[:UUID_LENGTH].encode() for batch in batches for name in batch.names)
    said = np.frombuffer(names, np.uint8).reshape(-1, UUID_LENGTH)
    operations = fixed_width(column(table, "falcon_operation_id"), UUID_LENGTH)
    if (operations != np.repeat(said, lines, axis=0)).any():
        raise NotAsWrittenError("the line's operation differs from the key's")
    days = np.frombuffer(
        b"".join(batch.partition.day.encode() * len(batch.names) for batch in batches), np.uint8
    ).reshape(-1, DAY_LENGTH)
    dates = instants(column(table, "operation_date"))[:, :DAY_LENGTH]
    if (dates != np.repeat(days, lines, axis=0)).any():
        raise NotAsWrittenError("the line's day differs from the key's")
