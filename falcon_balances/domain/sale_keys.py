"""The identity of a merchant's sale, and the keys of the sale's items in the table."""

from typing import Final, NamedTuple, Self

from falcon_balances.domain.identity import operation_id_of_reference
from falcon_balances.domain.operations import OperationType
from falcon_balances.domain.table_keys import (
    ItemKey,
    fields_after,
    key_fields,
    merchant_pk,
    parse_merchant_pk,
)


class SaleKey(NamedTuple):
    """A sale of a merchant. A reference can contain `#`, ids cannot."""

    merchant_id: str
    psp_id: str
    reference: str

    @property
    def item(self) -> ItemKey:
        return ItemKey(merchant_pk(self.merchant_id), f"{SALE_KEYS}{self.name}")

    @classmethod
    def parse(cls, key: ItemKey) -> Self:
        psp_id, reference = fields_after("SALE", key.sk, 2, last_may_hold_it=True)
        return cls(parse_merchant_pk(key.pk), psp_id, reference)

    @property
    def name(self) -> str:
        """The sale's name without its merchant."""
        return f"{self.psp_id}#{self.reference}"

    @classmethod
    def parse_name(cls, name: str, merchant_id: str) -> Self:
        return cls(merchant_id, *key_fields(name, 2))

    @property
    def text(self) -> str:
        return "#".join(self)

    @classmethod
    def parse_text(cls, text: str) -> Self:
        return cls(*key_fields(text, 3))

    @property
    def sale_id(self) -> str:
        """The falcon_operation_id of the first capture with this reference."""
        return operation_id_of_reference(self.psp_id, OperationType.CAPTURE, self.reference)

    def operation_item(self, falcon_operation_id: str) -> ItemKey:
        sk = SaleOperationKey(self.sale_id, falcon_operation_id).sk
        return ItemKey(merchant_pk(self.merchant_id), sk)


SALE_KEYS: Final = "SALE#"


class SaleOperationKey(NamedTuple):
    """The key of an operation that took from a sale, or gave back to it."""

    sale_id: str
    falcon_operation_id: str

    @property
    def sk(self) -> str:
        return f"{operations_of_sale(self.sale_id)}{self.falcon_operation_id}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        return cls(*fields_after("SALE_OPERATION", sk, 2))


def operations_of_sale(sale_id: str) -> str:
    """The prefix of the sort keys of all operations of the sale."""
    return f"SALE_OPERATION#{sale_id}#"
