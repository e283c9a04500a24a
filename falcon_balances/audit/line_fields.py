"""Parses and checks fields of many lines at once: amounts, ids and instants."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.line_grammar import Bytes, NotAsWrittenError, Numbers
from falcon_balances.contracts.currencies import written_currency

UUID_LENGTH: Final = 36
ID_WORDS: Final = UUID_LENGTH // 4
DAY_LENGTH: Final = 10
_HEX_AND_DASH: Final = b"0123456789abcdef-"
_DASHES: Final = (8, 13, 18, 23)
_DATE_LENGTH: Final = 20
_NUMERIC: Final = b"0123456789.-"
_LOW_NIBBLES: Final = np.uint64(0x0F0F0F0F0F0F0F0F)
_LOWEST_BITS: Final = np.uint64(0x0101010101010101)
# Odd 64-bit numbers from the digits of pi: a sum of products with them rarely maps different ids to
# one number.
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


def column(table: pa.Table, name: str) -> pa.Array:
    """The column as one array."""
    chunks = table.column(name)
    return chunks.chunk(0) if chunks.num_chunks == 1 else pa.concat_arrays(chunks.chunks)


def amounts(texts: pa.StringArray) -> tuple[Numbers, Numbers]:
    """Minor units and numbers of decimals, exact. Raises NotAsWrittenError for any other format."""
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
    # `007.00`, `.5` and `-0.00` are refused: they differ in length from their canonical form.
    size = np.abs(minor)
    powers = 10 ** np.arange(1, 19, dtype=np.int64)
    written = np.maximum(np.searchsorted(powers, size, side="right") + 1, decimals + 1)
    written = written + (minor < 0) + (decimals > 0)
    if (written != length).any():
        raise NotAsWrittenError("amount is not in canonical form")
    return minor, decimals


def exponents_of(codes: pa.DictionaryArray) -> Numbers:
    """The exponent of each line's currency; -1 for an unknown one."""
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
    """A row of bytes for each text. Raises NotAsWrittenError unless each has `width` bytes."""
    _, offset_buffer, value_buffer = texts.buffers()
    if not len(texts):
        return np.zeros((0, width), dtype=np.uint8)
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if (np.diff(offsets) != width).any():
        raise NotAsWrittenError(f"a field must have {width} characters")
    first, last = int(offsets[0]), int(offsets[-1])
    return np.frombuffer(value_buffer, np.uint8)[first:last].reshape(-1, width)


def uuids(texts: pa.StringArray) -> Bytes:
    """The uuids as bytes. Raises NotAsWrittenError for anything but a uuid in lower case."""
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
    """The 128 bits of each uuid; a row is its text of 36 characters in lower case."""
    digits = np.ascontiguousarray(np.delete(ids, _DASHES, axis=1)).view(np.uint64)
    # Eight characters at a time: a letter is nine plus its last four bits, a digit just its last
    # four bits.
    nibbles = (digits & _LOW_NIBBLES) + ((digits >> np.uint64(6)) & _LOWEST_BITS) * np.uint64(9)
    halves = nibbles.view(np.uint8).reshape(len(ids), 16, 2)
    joined = (halves[:, :, 0] << np.uint8(4)) | halves[:, :, 1]
    words: Words = np.ascontiguousarray(joined).view(np.uint64)
    return words


def instants(texts: pa.StringArray) -> Bytes:
    """Checks instants. Raises NotAsWrittenError for anything but an existing
    `YYYY-MM-DDTHH:MM:SSZ`.
    """
    rows = fixed_width(texts, _DATE_LENGTH)
    if (rows[:, DAY_LENGTH] != ord("T")).any() or (rows[:, -1] != ord("Z")).any():
        raise NotAsWrittenError("operation_date")
    # Our dates begin with the year 2000.
    if (rows[:, 0] < ord("2")).any():
        raise NotAsWrittenError("operation_date")
    try:
        pc.cast(texts, pa.timestamp("s", "UTC"))
    except pa.ArrowInvalid as invalid:
        raise NotAsWrittenError("operation_date") from invalid
    return rows
