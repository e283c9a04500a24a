"""The log's grammar (design §6): the fields of a line, and what each of them can contain.

The writer and all readers use this table: the stream, the strict reader and the fast replay. Only
the verifier has its own. A line that the writer would not write counts nowhere.
"""

from collections.abc import Mapping
from typing import Final

from falcon_balances.domain.operations import TYPES_BY_STAGE, OperationType, Stage

COLUMNS: Final = (
    "uuid",
    "external_reference",
    "amount",
    "currency",
    "type",
    "falcon_operation_id",
    "operation_date",
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
HEADER: Final = ",".join(COLUMNS)
# Fifteen digits before the point, as in an event, and room for fees added to them.
AMOUNT_DIGITS_MAX: Final = 19
# The largest object: forty splits, all of one merchant that is also the marketplace, with eight
# lines each. A revision sums the fees of a shop: two times forty splits make 242 lines.
LINES_MAX: Final = 40 * 8
# `LINES_MAX` lines take 251 KB. DynamoDB allows 400 KB per item: more than any body.
BODY_BYTES_MAX: Final = 300_000
REPETITION_MIN: Final = 2
REPETITION_MAX: Final = 99

# Patterns without anchors, in the syntax that Python, RE2 and ECMAScript share.
ID: Final = "[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
# Printable ASCII without `"` (22), `,` (2C), `\` (5C) and `|` (7C), so no field needs quotes. No
# space at either end, and none of = + - @ (3D, 2B, 2D, 40) at the beginning, which a spreadsheet
# would execute.
REFERENCE: Final = (
    r"[!\x23-\x2A\x2E-\x3C\x3E-\x3F\x41-\x5B\x5D-\x7B\x7D-\x7E]"
    r"([\x20-\x21\x23-\x2B\x2D-\x5B\x5D-\x7B\x7D-\x7E]{0,126}"
    r"[!\x23-\x2B\x2D-\x5B\x5D-\x7B\x7D-\x7E])?"
)
# A UUID of version 5 (RFC 9562): all our UUIDs are derived from names.
UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
AMOUNT: Final = r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,4})?"
DATE: Final = "[2-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
# Occurrence and revision; number 1 is not written.
REPETITION: Final = "([2-9]|[1-9][0-9])"
NOTHING: Final = "()"

_IN_ALL: Final = {
    "uuid": UUID,
    "external_reference": ID,
    "amount": AMOUNT,
    "currency": "[A-Z]{3}",
    "falcon_operation_id": UUID,
    "operation_date": DATE,
    "balance_shop_id": ID,
}
_OF_A_PSP: Final = _IN_ALL | {
    "external_reference": REFERENCE,
    "local_merchant_id": ID,
    "shop_id": ID,
    "psp_id": ID,
    "original_reference": f"({REFERENCE})?",
    "occurrence": f"{REPETITION}?",
}
_BY_STAGE: Final[Mapping[Stage, Mapping[str, str]]] = {
    Stage.CONFIRMED: _OF_A_PSP,
    Stage.RECONCILED: _OF_A_PSP | {"bank_reference": REFERENCE},
    Stage.PAYOUT: _IN_ALL,
    Stage.ADJUSTMENT: _IN_ALL
    | {"original_reference": f"({UUID})?", "reason_code": ID, "requested_by": ID},
}
_OF_A_RETURN: Final = {"original_reference": f"({ID})?", "bank_reference": REFERENCE}


def _fields(stage: Stage, line_type: OperationType) -> dict[str, str]:
    """The pattern of each column for a line of this type; columns that do not apply are empty."""
    said = {**_BY_STAGE[stage], "type": line_type.value}
    if line_type is OperationType.WITHDRAWAL_REVERSAL:
        said |= _OF_A_RETURN
    return {name: said.get(name, NOTHING) for name in COLUMNS}


FIELDS: Final[Mapping[tuple[Stage, OperationType], Mapping[str, str]]] = {
    (stage, line_type): _fields(stage, line_type)
    for stage in Stage
    for line_type in TYPES_BY_STAGE[stage]
}
# The event's own fields are the same in all lines of an object. In a revision, those of
# `SAME_IN_A_FIRST_REVISION` can differ between lines of the old and the new truth.
SAME_IN_AN_OBJECT: Final = (
    "external_reference",
    "falcon_operation_id",
    "operation_date",
    "psp_id",
    "occurrence",
    "reason_code",
    "requested_by",
)
SAME_IN_A_FIRST_REVISION: Final = ("currency", "original_reference", "bank_reference")
