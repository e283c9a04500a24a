"""Lines of the log by the hundred thousand, as columns: parsed, checked and summed with Arrow.

What is not exactly as the log writes it is refused whole by `columns_of`; which object it was, and
what about it, is then found out one object at a time (`contracts/log_objects.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.ma
import pyarrow as pa
import pyarrow.acero
import pyarrow.compute as pc
from pyarrow import csv

from falcon_balances.audit.line_grammar import (
    PATTERNED,
    Bytes,
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
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.log_grammar import BODY_BYTES_MAX, COLUMNS, HEADER, LINES_MAX
from falcon_balances.domain.operations import PSP_STAGES

# What Arrow would import when it first needs them: now, and not again in each forked process.
_IMPORTED_BY_ARROW: Final = (numpy.ma, pyarrow.acero)
_HEADER: Final = f"{HEADER}\n".encode()
UUID_LENGTH: Final = 36
ID_WORDS: Final = UUID_LENGTH // 4
_HEX_AND_DASH: Final = b"0123456789abcdef-"
_DASHES: Final = (8, 13, 18, 23)
_DATE_LENGTH: Final = 20
_DAY_LENGTH: Final = 10
# No field holds a quote, so none can hide a comma or a line's end from Arrow.
_ALLOWED: Final = bytes(each for each in range(ord(" "), 0x7F) if each not in b'"\\|') + b"\n"
_NUMERIC: Final = b"0123456789.-"
_LOW_NIBBLES: Final = np.uint64(0x0F0F0F0F0F0F0F0F)
_LOWEST_BITS: Final = np.uint64(0x0101010101010101)
_ENCODED: Final = ("type", *PATTERNED)
_REVISIONS: Final = 100  # more than there are of one operation
_BLOCK_BYTES: Final = 4 << 20
_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())
# Odd numbers of 64 bits, from the digits of pi: sums of products spread equal ids nowhere else.
WEIGHTS: Final = np.array(
    [
        0x3243F6A8885A308D,
        0x313198A2E0370735,
        0xA4093822299F31D1,
        0x082EFA98EC4E6C89,
        0x452821E638D01377,
        0xBE5466CF34E90C6D,
        0xC0AC29B7C97C50DD,
        0x3F84D5B5B5470917,
        0x9216D5D98979FB1B,
    ],
    dtype=np.uint64,
)

Words = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True, slots=True)
class LineColumns:
    """`minor` in minor units; `hashes` are equal for equal uuids, and nearly never otherwise.

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
    """The lines of whole objects; `owners` says a number for each batch. Raises NotAsWrittenError.

    Only lines dated `before` that instant (`YYYY-MM-DDTHH:MM:SSZ`), if one is given.
    """
    table, lines = _parsed(batches)
    sizes = [len(batch.bodies) for batch in batches]
    owner_of_line = np.repeat(np.repeat(np.array(owners, dtype=np.int64), sizes), lines)
    return _columns(table, _minor_of(table), owner_of_line, before)


def whole_lines_of(batches: Sequence[ObjectBatch]) -> tuple[pa.Table, Numbers]:
    """Every column of the log, checked as above, and the number of each object's lines."""
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
    """All that `logged_segment` asks of an object (design §6)."""
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
    """Every batch with each of its revisions, and for each object which of them."""
    pairs, which = np.unique(batch_of_object * _REVISIONS + revisions, return_inverse=True)
    found = [divmod(each, _REVISIONS) for each in pairs.tolist()]
    partitions = [(batches[batch].partition, revision) for batch, revision in found]
    places = [Place(each.stage, each.merchant_id, revision) for each, revision in partitions]
    return places, which.reshape(-1)


def _minor_of(table: pa.Table) -> Numbers:
    """In minor units, each at its currency's full scale. Raises NotAsWrittenError."""
    minor, decimals = amounts(column(table, "amount"))
    if (decimals != exponents_of(column(table, "currency"))).any():
        raise NotAsWrittenError("amount is not written with all decimals of its currency")
    return minor


def _columns(table: pa.Table, minor: Numbers, owners: Numbers, before: str | None) -> LineColumns:
    wanted = None if before is None else pc.less(column(table, "operation_date"), before)
    return checked_columns(table, minor, owners, wanted)


def checked_columns(
    table: pa.Table, minor: Numbers, owners: Numbers, wanted: pa.BooleanArray | None
) -> LineColumns:
    """Those `wanted` of lines whose fields were checked. Raises NotAsWrittenError."""
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


def column(table: pa.Table, name: str) -> pa.Array:
    """As one array, whatever it was read in."""
    chunks = table.column(name)
    return chunks.chunk(0) if chunks.num_chunks == 1 else pa.concat_arrays(chunks.chunks)


def amounts(texts: pa.StringArray) -> tuple[Numbers, Numbers]:
    """Minor units and numbers of decimals, exact. Raises NotAsWrittenError for any other form."""
    if _bytes_of(texts).translate(None, _NUMERIC):
        raise NotAsWrittenError("amount is not a number")
    point = pc.find_substring(texts, ".").to_numpy()
    length = pc.binary_length(texts).to_numpy().astype(np.int64)
    try:
        digits = pc.replace_substring(texts, ".", "", max_replacements=1)
        minor: Numbers = pc.cast(digits, pa.int64()).to_numpy()
    except pa.ArrowInvalid as invalid:
        raise NotAsWrittenError("amount is not a number") from invalid
    decimals: Numbers = np.where(point < 0, 0, length - 1 - point)
    # `007.00`, `.5` and `-0.00` have another length than what they say is written with.
    size = np.abs(minor)
    powers = 10 ** np.arange(1, 19, dtype=np.int64)
    written = np.maximum(np.searchsorted(powers, size, side="right") + 1, decimals + 1)
    written = written + (minor < 0) + (decimals > 0)
    if (written != length).any():
        raise NotAsWrittenError("amount is not in canonical form")
    return minor, decimals


def exponents_of(codes: pa.DictionaryArray) -> Numbers:
    """One for each line; -1 for what is no currency."""
    found = [written_currency(code) for code in codes.dictionary.to_pylist()]
    exponents = [-1 if each is None else each.exponent for each in found]
    each_line: Numbers = np.array(exponents, dtype=np.int64)[codes.indices.to_numpy()]
    return each_line


def _bytes_of(texts: pa.StringArray) -> bytes:
    _, offset_buffer, value_buffer = texts.buffers()
    if not len(texts) or value_buffer is None:
        return b""
    offsets = np.frombuffer(offset_buffer, np.int32)
    first, last = offsets[texts.offset], offsets[texts.offset + len(texts)]
    return np.frombuffer(value_buffer, np.uint8)[first:last].tobytes()


def fixed_width(texts: pa.StringArray, width: int) -> Bytes:
    """A row of bytes for each text. Raises NotAsWrittenError unless all are so wide."""
    _, offset_buffer, value_buffer = texts.buffers()
    if not len(texts):
        return np.zeros((0, width), dtype=np.uint8)
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if (np.diff(offsets) != width).any():
        raise NotAsWrittenError(f"a field must have {width} characters")
    first, last = int(offsets[0]), int(offsets[-1])
    return np.frombuffer(value_buffer, np.uint8)[first:last].reshape(-1, width)


def uuids(texts: pa.StringArray) -> Bytes:
    """Raises NotAsWrittenError for what is no uuid in small letters."""
    rows = fixed_width(texts, UUID_LENGTH)
    blob = rows.tobytes()
    if (
        blob.translate(None, _HEX_AND_DASH)
        or blob.count(b"-") != len(rows) * len(_DASHES)
        or (rows[:, _DASHES] != ord("-")).any()
    ):
        raise NotAsWrittenError("uuid")
    return rows


def hashes_of(ids: Bytes) -> Words:
    """64 bits for each row, whose width must be a multiple of four bytes, at most 36."""
    words = np.ascontiguousarray(ids).view(np.uint32)
    hashes: Words = words[:, 0].astype(np.uint64) * WEIGHTS[0]
    for place in range(1, words.shape[1]):
        hashes += words[:, place].astype(np.uint64) * WEIGHTS[place]
    return hashes


def id_words(ids: Bytes) -> Words:
    """The 128 bits that each row of 36 characters, a uuid in small letters, stands for."""
    digits = np.ascontiguousarray(np.delete(ids, _DASHES, axis=1)).view(np.uint64)
    # Eight characters at a time: a letter is its last four bits and nine, a digit these bits alone.
    nibbles = (digits & _LOW_NIBBLES) + ((digits >> np.uint64(6)) & _LOWEST_BITS) * np.uint64(9)
    halves = nibbles.view(np.uint8).reshape(len(ids), 16, 2)
    joined = (halves[:, :, 0] << np.uint8(4)) | halves[:, :, 1]
    words: Words = np.ascontiguousarray(joined).view(np.uint64)
    return words


def _check_places(table: pa.Table, batches: Sequence[ObjectBatch], lines: Numbers) -> None:
    """Operation and day of every line are those of its object's key."""
    names = b"".join(name[:UUID_LENGTH].encode() for batch in batches for name in batch.names)
    said = np.frombuffer(names, np.uint8).reshape(-1, UUID_LENGTH)
    operations = fixed_width(column(table, "falcon_operation_id"), UUID_LENGTH)
    if (operations != np.repeat(said, lines, axis=0)).any():
        raise NotAsWrittenError("the line's operation differs from the key's")
    days = np.frombuffer(
        b"".join(batch.partition.day.encode() * len(batch.names) for batch in batches), np.uint8
    ).reshape(-1, _DAY_LENGTH)
    dates = instants(column(table, "operation_date"))[:, :_DAY_LENGTH]
    if (dates != np.repeat(days, lines, axis=0)).any():
        raise NotAsWrittenError("the line's day differs from the key's")


def instants(texts: pa.StringArray) -> Bytes:
    """Raises NotAsWrittenError for what is not written as `YYYY-MM-DDTHH:MM:SSZ`, or never was."""
    rows = fixed_width(texts, _DATE_LENGTH)
    if (rows[:, _DAY_LENGTH] != ord("T")).any() or (rows[:, -1] != ord("Z")).any():
        raise NotAsWrittenError("operation_date")
    # Our dates begin with the year 2000.
    if (rows[:, 0] < ord("2")).any():
        raise NotAsWrittenError("operation_date")
    try:
        pc.cast(texts, pa.timestamp("s", "UTC"))
    except pa.ArrowInvalid as invalid:
        raise NotAsWrittenError("operation_date") from invalid
    return rows
