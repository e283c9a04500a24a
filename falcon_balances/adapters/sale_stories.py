"""Reads the sale that an operation belongs to, if it is the merchant's own (design §8)."""

from typing import Final

from falcon_balances.adapters.ports import MerchantReads
from falcon_balances.contracts.sale_documents import SaleStoryV1
from falcon_balances.domain.operations import TYPES_WITH_ORIGINAL, BalanceOperation, OperationType
from falcon_balances.domain.sale_keys import SaleKey

OPERATIONS_SHOWN_MAX: Final = 100


def sale_of(main: BalanceOperation, reads: MerchantReads) -> SaleStoryV1 | None:
    """The sale of a refund, chargeback or reversal; for a capture, its sale and what was taken from
    it.

    One read, two for a capture. Amounts are stored under the merchant that the sale names, so a
    seller of a marketplace sees which sale it was, without its figures.
    """
    is_sale = main.type is OperationType.CAPTURE
    reference = main.external_reference if is_sale else main.original_reference
    if not reference or not (is_sale or main.type in TYPES_WITH_ORIGINAL):
        return None
    key = SaleKey(reads.merchant_id, main.psp_id, reference)
    sale = reads.sale(key)
    story = SaleStoryV1.linked(key, sale)
    if sale is None or not is_sale:
        return story
    operations = reads.sale_operations(key.sale_id, OPERATIONS_SHOWN_MAX + 1)
    return story.with_operations(operations, OPERATIONS_SHOWN_MAX)
