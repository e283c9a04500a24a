"""Effects (design §7): what a counted segment added to each balance's joint figures.

An effect depends on what was counted before, so the mark keeps it: journals, statements and history
never calculate it again.
"""

from collections.abc import Mapping

from falcon_balances.domain.available import Joint
from falcon_balances.domain.table_keys import BalanceKey, key_fields

Effect = Mapping[BalanceKey, Joint]


def effect_text(effect: Effect) -> str:
    """The effect as text: `balance shop#currency#`, then the five changes with `#` between them;
    commas between balances.

    Ids contain neither character. One balance with everyday amounts takes less than 100 bytes.
    """
    return ",".join("#".join((*balance, *map(str, joint))) for balance, joint in effect.items())


def read_effect(text: str) -> dict[BalanceKey, Joint]:
    """The effect in a text of `effect_text`. Raises ValueError for anything else."""
    effect: dict[BalanceKey, Joint] = {}
    for each in text.split(","):
        balance_shop_id, currency, *changes = key_fields(each, 2 + len(Joint._fields))
        effect[BalanceKey(balance_shop_id, currency)] = Joint(*map(int, changes))
    return effect
