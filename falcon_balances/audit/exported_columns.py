"""Checks a whole block of exported lines as columns, and selects the wanted lines."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.exported_blocks import CheckedColumns
from falcon_balances.audit.exported_parts import REVISION_WORD, PartsOfLines, stage_words
from falcon_balances.audit.line_fields import column, hashes_of, instants, uuids
from falcon_balances.audit.line_grammar import (
    Flags,
    NotAsWrittenError,
    Numbers,
    Place,
    check_fields,
    check_signs,
    numbers_among,
    uuids_follow,
)
from falcon_balances.audit.lines import LineColumns, checked_columns
from falcon_balances.audit.log_objects import Partition, Selection
from falcon_balances.domain.log_grammar import REPETITION_MAX
from falcon_balances.domain.operations import PSP_STAGES

_PARTS_MAX: Final = 9_999
_ANY_DAY: Final = "2000-01-01"
# The places of version and variant in a uuid's text, and the valid variants.
_VERSION: Final = 14
_VARIANT: Final = 19
_VARIANTS: Final = np.isin(np.arange(256), np.frombuffer(b"89ab", np.uint8))


class BlockColumns(NamedTuple):
    """`owners`: merchants with stages; `lines.owners` has each line's index in that list."""

    lines: LineColumns
    owners: list[tuple[str, str]]
    parts: PartsOfLines


def columns_of_block(
    checked: CheckedColumns, selection: Selection, before: str | None
) -> BlockColumns:
    """The selected lines, after checks of all lines of the block. Raises NotAsWrittenError."""
    table = checked.table
    owners, owner = _owners(column(table, "stage"), column(table, "merchant_id"))
    check_fields(table, [stage for _, stage in owners], owner)
    revision = column(table, "revision").to_numpy().astype(np.int64)
    _check_revisions(revision, [stage for _, stage in owners], owner)
    check_signs(column(table, "type"), checked.minor, revision == 1)
    date = column(table, "operation_date")
    instants(date)
    operations = uuids(column(table, "falcon_operation_id"))
    if (operations[:, _VERSION] != ord("5")).any() or not _VARIANTS[operations[:, _VARIANT]].all():
        raise NotAsWrittenError("falcon_operation_id")
    _check_uuids(table, owners, owner, revision)
    part, parts = (column(table, name).to_numpy() for name in ("part", "parts"))
    if (part < 1).any() or (part > parts).any() or (parts > _PARTS_MAX).any():
        raise NotAsWrittenError("part")
    selected = _selected(owners, owner, date, selection)
    wanted = selected if before is None else selected & _flags(pc.less(date, before))
    some = (parts > 1) & selected
    return BlockColumns(
        checked_columns(table, checked.minor, owner, None if wanted.all() else pa.array(wanted)),
        owners,
        PartsOfLines(
            hashes_of(operations[some])
            + stage_words(owners)[owner[some]]
            + revision[some].astype(np.uint64) * np.uint64(REVISION_WORD),
            part[some].astype(np.int64),
            parts[some].astype(np.int64),
        ),
    )


def _check_revisions(revision: Numbers, stages: Sequence[str], owner: Numbers) -> None:
    """Raises NotAsWrittenError for a revision out of range, or above 1 in a stage without them."""
    may_be_revised = np.array([stage in PSP_STAGES for stage in stages], dtype=np.bool_)[owner]
    if (revision < 1).any() or ((revision > 1) & ~may_be_revised).any():
        raise NotAsWrittenError("revision")
    if (revision > REPETITION_MAX).any():
        raise NotAsWrittenError("revision")


def _check_uuids(
    table: pa.Table, owners: Sequence[tuple[str, str]], owner: Numbers, revision: Numbers
) -> None:
    """Checks uuids on the assumption that lines of an object are consecutive and in its order.
    Raises NotAsWrittenError if not, or if the object began in the previous block: then lines are
    checked one by one.
    """
    operation = column(table, "falcon_operation_id")
    begins = np.ones(len(operation), dtype=np.bool_)
    begins[1:] = (
        _flags(pc.not_equal(operation.slice(1), operation.slice(0, max(len(operation) - 1, 0))))
        | (owner[1:] != owner[:-1])
        | (revision[1:] != revision[:-1])
    )
    kinds = [column(table, "balance_shop_id"), column(table, "type")]
    numbers = numbers_among(np.cumsum(begins) - 1, kinds)
    pairs, which = np.unique(owner * (REPETITION_MAX + 1) + revision, return_inverse=True)
    places = [
        Place(owners[of][1], owners[of][0], number)
        for of, number in (divmod(each, REPETITION_MAX + 1) for each in pairs.tolist())
    ]
    said = uuids(column(table, "uuid"))
    if not uuids_follow(table, said, places, which.reshape(-1), numbers).all():
        raise NotAsWrittenError("uuid is not derived from the line")


def _owners(
    stage: pa.DictionaryArray, merchant: pa.DictionaryArray
) -> tuple[list[tuple[str, str]], Numbers]:
    """Merchants with stages, and each line's index in that list. Raises NotAsWrittenError."""
    stages, merchants = stage.dictionary.to_pylist(), merchant.dictionary.to_pylist()
    code = merchant.indices.to_numpy().astype(np.int64) * len(stages) + stage.indices.to_numpy()
    present = np.flatnonzero(np.bincount(code, minlength=len(stages) * len(merchants)))
    place = np.zeros(len(stages) * len(merchants), dtype=np.int64)
    place[present] = np.arange(len(present))
    found = [divmod(each, len(stages)) for each in present.tolist()]
    owners = [(merchants[which], stages[of]) for which, of in found]
    for merchant_id, name in owners:
        if Partition.of(f"{name}/merchant_id={merchant_id}/date={_ANY_DAY}") is None:
            raise NotAsWrittenError("stage or merchant_id")
    return owners, place[code]


def _selected(
    owners: Sequence[tuple[str, str]], owner: Numbers, date: pa.StringArray, selection: Selection
) -> Flags:
    whose = replace(selection, since=None, until=None)
    has = [whose.has(Partition(stage, merchant_id, _ANY_DAY)) for merchant_id, stage in owners]
    selected: Flags = np.array(has, dtype=np.bool_)[owner]
    if selection.since is not None:
        selected = selected & _flags(pc.greater_equal(date, selection.since))
    if selection.until is not None:
        selected = selected & _flags(pc.less(date, selection.until))
    return selected


def _flags(values: pa.BooleanArray) -> Flags:
    flags: Flags = values.to_numpy(zero_copy_only=False)
    return flags
