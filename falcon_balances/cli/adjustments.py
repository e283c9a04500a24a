"""What an adjustment must not do: settle money that one side has said and the other has not yet."""

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.target import Target
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import ItemKey, StandingKey, merchant_pk


def check_credit(target: Target, merchant_id: str, corrects: str) -> None:
    """Raises InvalidInputError where the operation that a credit corrects has pending or unapplied
    money at the merchant (design §7): the missing event or a revision brings that by itself, and
    then it would be there twice.
    """
    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
    key = ItemKey(merchant_pk(merchant_id), StandingKey(corrects).sk)
    said = store.items([key]).get(key)
    if said is not None and Standing.from_attributes(key, said).awaits_money:
        raise InvalidInputError(
            "--corrects: this operation has pending or unapplied money, which a credit does not"
            " settle; the missing event, or a revision, does"
        )
