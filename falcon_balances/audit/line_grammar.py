"""Checks columns of many lines by the log's grammar (`domain/log_grammar.py`).

Columns come with a dictionary, so each text is checked once, however many lines have it.
"""

from collections.abc import Sequence
from hashlib import sha1
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.domain.identity import NAMESPACE
from falcon_balances.domain.log_grammar import (
    FIELDS,
    SAME_IN_A_FIRST_REVISION,
    SAME_IN_AN_OBJECT,
)
from falcon_balances.domain.operations import (
    SIGN_BY_TYPE,
    TYPES_BY_STAGE,
    OperationType,
    Stage,
    staged,
)

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

# Not here: amount, date and uuid are checked separately; the operation's id must be the key's.
PATTERNED: Final = (
    "external_reference",
    "currency",
    "local_merchant_id",
    "shop_id",
    "balance_shop_id",
    "psp_id",
    "original_reference",
    "occurrence",
    "bank_reference",
    "reason_code",
    "requested_by",
)
_TYPES: Final = {each.value: each for each in OperationType}
# The hash of the namespace: computing it once and copying it for each name is faster.
_NAMED: Final = sha1(NAMESPACE.bytes, usedforsecurity=False)
_DIGEST_BYTES: Final = 20
_UUID_BYTES: Final = 16
_HEX_PLACES: Final = [place for place in range(36) if place not in {8, 13, 18, 23}]


class NotAsWrittenError(ValueError):
    """The log's writer would not have written one of these lines."""


class Place(NamedTuple):
    """The shared part of some lines' keys."""

    stage: str
    merchant_id: str
    revision: int


def check_fields(table: pa.Table, stages: Sequence[str], which: Numbers) -> None:
    """Checks each field for the line's stage, `stages[which]`, and type."""
    types = _dictionary(table, "type")
    names = types.dictionary.to_pylist()
    known = sorted(set(stages))
    stage_of_line = np.array([known.index(each) for each in stages], dtype=np.int64)[which]
    kind = stage_of_line * len(names) + types.indices.to_numpy()
    present = np.flatnonzero(np.bincount(kind, minlength=len(known) * len(names))).tolist()
    fields = {
        each: _fields_of(known[each // len(names)], names[each % len(names)]) for each in present
    }
    for name in PATTERNED:
        _check_field(_dictionary(table, name), name, kind, {k: f[name] for k, f in fields.items()})


def _fields_of(stage: str, line_type: str) -> dict[str, str]:
    found = _TYPES.get(line_type)
    if found is None or found not in TYPES_BY_STAGE[Stage(stage)]:
        raise NotAsWrittenError("type does not exist in this stage")
    return dict(FIELDS[Stage(stage), found])


def _check_field(
    column: pa.DictionaryArray, name: str, kind: Numbers, patterns: dict[int, str]
) -> None:
    distinct = sorted(set(patterns.values()))
    matches = np.array([_matching(column.dictionary, each) for each in distinct])
    if len(distinct) == 1:
        if not matches.all():
            raise NotAsWrittenError(name)
        return
    of_kind = np.zeros(max(patterns) + 1, dtype=np.int64)
    for each, pattern in patterns.items():
        of_kind[each] = distinct.index(pattern)
    if not matches[of_kind[kind], column.indices.to_numpy()].all():
        raise NotAsWrittenError(name)


def _matching(texts: pa.StringArray, pattern: str) -> Flags:
    found = pc.match_substring_regex(texts, rf"\A(?:{pattern})\z")
    flags: Flags = found.to_numpy(zero_copy_only=False)
    return flags


def check_objects(table: pa.Table, lines: Numbers, revisions: Numbers, stages: Numbers) -> None:
    """Checks that lines of one object have the same fields of the event.

    Each array has a number per object: `lines` how many lines it has, `revisions` its revision,
    `stages` 0 if events of its stage have only one line.
    """
    starts = np.cumsum(lines) - lines
    first = np.repeat(starts, lines)
    for name in SAME_IN_AN_OBJECT:
        if not _same(table, name, first).all():
            raise NotAsWrittenError(f"{name} differs from the line before")
    is_first_revision = np.repeat(revisions == 1, lines)
    for name in SAME_IN_A_FIRST_REVISION:
        if not (_same(table, name, first) | ~is_first_revision).all():
            raise NotAsWrittenError(f"{name} differs from the line before")
    if (lines[stages == 0] > 1).any():
        raise NotAsWrittenError("an event of this stage has only one line")


def _same(table: pa.Table, name: str, first: Numbers) -> Flags:
    """Whether each line has the text of its object's first line."""
    column = table.column(name).chunk(0)
    if pa.types.is_dictionary(column.type):
        codes = column.indices.to_numpy()
        same: Flags = codes == codes[first]
        return same
    same = np.ones(len(column), dtype=np.bool_)
    before = pc.equal(column.slice(1), column.slice(0, max(len(column) - 1, 0)))
    same[1:] = before.to_numpy(zero_copy_only=False)
    same |= first == np.arange(len(column))
    return same


def check_signs(types: pa.DictionaryArray, minor: Numbers, is_first_revision: Flags) -> None:
    """Checks that no amount is zero, and that a first revision's amounts have their type's sign."""
    signs = np.array([SIGN_BY_TYPE[_TYPES[each]] for each in types.dictionary.to_pylist()])
    wrong = (minor == 0) | (
        (np.sign(minor) * signs[types.indices.to_numpy()] < 0) & is_first_revision
    )
    if wrong.any():
        raise NotAsWrittenError("amount is zero, or has the wrong sign for its type")


def numbers_among(objects: Numbers, columns: Sequence[pa.DictionaryArray]) -> Numbers:
    """For each line, the number of earlier lines of its object with the same values in these
    columns.
    """
    kind = objects.copy()
    for column in columns:
        kind = kind * max(len(column.dictionary), 1) + column.indices.to_numpy()
    order = np.argsort(kind, kind="stable")
    sorted_kind = kind[order]
    is_new = np.ones(len(kind), dtype=np.bool_)
    is_new[1:] = sorted_kind[1:] != sorted_kind[:-1]
    place = np.arange(len(kind))
    numbers = np.empty(len(kind), dtype=np.int64)
    numbers[order] = place - np.maximum.accumulate(np.where(is_new, place, 0))
    return numbers


def uuids_follow(
    table: pa.Table, said: Bytes, places: Sequence[Place], which: Numbers, numbers: Numbers
) -> Flags:
    """Whether each line's uuid, as written in `said`, is derived from the line and its place.

    This needs one hash per line (design §5).
    """
    stages = pa.array([staged(Stage(each.stage), each.revision) for each in places])
    merchants = pa.array([each.merchant_id for each in places])
    names = pc.binary_join_element_wise(
        table.column("falcon_operation_id").chunk(0),
        stages.take(pa.array(which)),
        merchants.take(pa.array(which)),
        table.column("balance_shop_id").chunk(0).cast(pa.string()),
        table.column("type").chunk(0).cast(pa.string()),
        pc.cast(pa.array(numbers), pa.string()),
        "|",
    )
    written = np.frombuffer(bytes.fromhex(said[:, _HEX_PLACES].tobytes().decode()), np.uint8)
    follows: Flags = (written.reshape(-1, _UUID_BYTES) == uuids_named(names)).all(axis=1)
    return follows


def uuids_named(names: pa.StringArray) -> Bytes:
    """The 16 bytes of the uuid of each name, like `identity.uuid5_text`."""
    made = np.frombuffer(_digests(names), np.uint8).reshape(-1, _DIGEST_BYTES)
    made = made[:, :_UUID_BYTES].copy()
    # Version and variant (RFC 9562).
    made[:, 6] = made[:, 6] & 0x0F | 0x50
    made[:, 8] = made[:, 8] & 0x3F | 0x80
    return made


def _digests(names: pa.StringArray) -> bytes:
    _, offset_buffer, value_buffer = names.buffers()
    if not len(names):
        return b""
    offsets = np.frombuffer(offset_buffer, np.int32)[names.offset :][: len(names) + 1].tolist()
    # Slices of bytes cost less than slices of a view.
    values = value_buffer.to_pybytes()
    begun = _NAMED.copy
    digests = []
    for start, end in pairwise(offsets):
        named = begun()
        named.update(values[start:end])
        digests.append(named.digest())
    return b"".join(digests)


def _dictionary(table: pa.Table, name: str) -> pa.DictionaryArray:
    column: pa.DictionaryArray = table.column(name).chunk(0)
    return column
