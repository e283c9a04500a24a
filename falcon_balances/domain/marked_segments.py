"""Reads a segment back from its mark, which leaves out what its key and its lines say already."""

from collections.abc import Mapping

from falcon_balances.domain.compact_lines import lines_of_text
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.operations import Segment, read_staged
from falcon_balances.domain.table_keys import ItemKey, parse_merchant_pk

_ONLY_PART = "1-of-1"


def part_text(segment: Segment) -> str | None:
    """The mark's attribute `part`; None if the event touches only one merchant."""
    text = f"{segment.part}-of-{segment.parts}"
    return None if text == _ONLY_PART else text


def marked_segment(key: ItemKey, said: Mapping[str, str | int]) -> Segment:
    """The segment without its context versions. Raises KeyError or ValueError if the reducer would
    not have written the mark.
    """
    operation_id, staged, _ = MarkKey.parse(key.sk)
    stage, revision = read_staged(staged)
    merchant_id = parse_merchant_pk(key.pk)
    part, _, parts = str(said.get("part", _ONLY_PART)).partition("-of-")
    lines = lines_of_text(str(said["lines"]), merchant_id, operation_id, staged)
    return Segment(stage, merchant_id, int(part), int(parts), lines, revision=revision)
