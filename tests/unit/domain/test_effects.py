import pytest

from falcon_balances.domain.available import Joint
from falcon_balances.domain.effects import effect_text, read_effect
from falcon_balances.domain.table_keys import BalanceKey

EFFECT = {
    BalanceKey("bs-1", "EUR"): Joint(pending=-9900, unapplied=100, available=9900),
    BalanceKey("bs:1.jpy", "JPY"): Joint(debits_unconfirmed=5, debits_untraced=-7),
}
TEXT = "bs-1#EUR#-9900#100#0#0#9900,bs:1.jpy#JPY#0#0#5#-7#0"


def test_an_effect_is_written_and_read_back():
    assert effect_text(EFFECT) == TEXT
    assert read_effect(TEXT) == EFFECT


@pytest.mark.parametrize(
    "text", ["", "bs-1", "bs-1#EUR", "bs-1#EUR#1#2#3#4", "bs-1#EUR#1#2#3#4#5#6", "a#EUR#1#2#3#4#x"]
)
def test_anything_else_is_no_effect(text):
    with pytest.raises(ValueError, match=r"."):
        read_effect(text)


def test_only_what_changes_is_counted():
    counted = EFFECT["bs:1.jpy", "JPY"].counters()  # type: ignore[index]
    assert counted == {"debits_unconfirmed": 5, "debits_untraced": -7}
