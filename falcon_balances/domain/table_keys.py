"""The keys of the table `balances` (design §7): what an item is called, and what its key says."""

from typing import NamedTuple


class ItemKey(NamedTuple):
    pk: str
    sk: str


def merchant_pk(merchant_id: str) -> str:
    return f"MERCHANT#{merchant_id}"


def balance_sk(balance_shop_id: str, currency: str) -> str:
    return f"BALANCE#{balance_shop_id}#{currency}"


def is_balance(key: ItemKey) -> bool:
    return key.sk.startswith("BALANCE#")


def block_sk(block_id: str) -> str:
    return f"BLOCK#{block_id}"


def block_id_of(key: ItemKey) -> str:
    return key.sk.removeprefix(block_sk(""))


def correction_sk(corrected_operation_id: str, operation_id: str) -> str:
    """Where what was corrected finds its correction, whichever of the two is counted first."""
    return f"CORRECTION#{corrected_operation_id}#{operation_id}"


def standing_sk(falcon_operation_id: str) -> str:
    return f"STANDING#{falcon_operation_id}"


def referenced_by(merchant_id: str, reference: str) -> str:
    """Where the index finds a merchant's operations by a reference; merchants' ids hold no `#`."""
    return f"REFERENCE#{merchant_id}#{reference}"


def window_sk(window: str, balance_shop_id: str, currency: str) -> str:
    return f"WINDOW#{window}#{balance_shop_id}#{currency}"


def late_sk(month: str, counted_order: str) -> str:
    """An operation of that month (`YYYY-MM`) that was counted after it: by when it was."""
    return f"LATE#{month}#{counted_order}"


def mark_sk(falcon_operation_id: str, staged: str) -> str:
    """`staged`: the stage, and from the second on the revision."""
    return f"OPERATION#{falcon_operation_id}#{staged}"
