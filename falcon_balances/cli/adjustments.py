"""Refuses adjustments that would credit money which only one stage has reported."""

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.target import Target
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import ItemKey, StandingKey, merchant_pk


def check_credit(target: Target, merchant_id: str, corrects: str) -> None:
    """Raises InvalidInputError if the operation that a credit corrects has pending or unapplied
    money at the merchant (design §7). The missing event or a revision settles that money by itself,
    so a credit would count it twice.
    """
    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
    key = ItemKey(merchant_pk(merchant_id), StandingKey(corrects).sk)
    said = store.items([key]).get(key)
    if said is not None and Standing.from_attributes(key, said).awaits_money:
        raise InvalidInputError(
            "--corrects: this operation has pending or unapplied money: send the missing event or a"
            " revision instead, otherwise the money would be counted twice"
        )
