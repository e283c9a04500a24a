"""What both stages of an operation say, what follows, and why, in words."""

import pytest

from falcon_balances.cli.audit.story_figures import accounts_of, standings_of
from falcon_balances.cli.audit.story_sources import Found
from falcon_balances.domain.log_keys import log_key
from tests.audit.replays import segments_of
from tests.builders import confirmed, reconciled

NOBODY = "traced in the bank, not confirmed by the PSP: cannot be spent"


def found(*segments):
    return [Found(log_key(each), lines=each.lines) for each in segments]


@pytest.mark.parametrize(
    ("kind", "said", "traced", "figures", "why"),
    [
        ("capture", "5.00", "5.00", {"counted": "5.00"}, "both stages agree"),
        ("capture", "5.00", None, {"pending": "5.00"}, "pending: confirmed by the PSP, not yet"),
        ("capture", None, "5.00", {"unapplied": "5.00"}, "unapplied: traced in the bank, not conf"),
        ("capture", "5.00", "4.00", {"counted": "4.00", "pending": "1.00"}, "pending: less was"),
        ("capture", "4.00", "5.00", {"counted": "4.00", "unapplied": "1.00"}, "unapplied: more"),
        ("refund", "5.00", None, {"counted": "-5.00", "debits_untraced": "5.00"},
         "debits_untraced: already deducted because the PSP"),
        ("refund", None, "5.00", {"counted": "-5.00", "debits_unconfirmed": "5.00"},
         "debits_unconfirmed: already deducted: the bank"),
    ],
)  # fmt: skip
def test_a_standing_says_what_is_open_and_why(kind, said, traced, figures, why):
    segments = []
    if said is not None:
        segments += segments_of(confirmed(type=kind, amount=said))
    if traced is not None:
        segments += segments_of(reconciled(type=kind, amount=traced))
    [standing] = standings_of(found(*segments))
    names = ("counted", "pending", "unapplied", "debits_unconfirmed", "debits_untraced")
    assert {name: standing[name] for name in names} == dict.fromkeys(names, "0.00") | figures
    assert (standing["confirmed"] is None, standing["reconciled"] is None) == (
        said is None,
        traced is None,
    )
    assert str(standing["why"]).startswith(f"['{why}")
    rows = accounts_of(found(*segments))
    assert sum(int(each["amount"].replace(".", "")) for each in rows) == 0


def test_money_traced_at_another_merchant_is_told_at_both():
    here = segments_of(confirmed())
    [there] = segments_of(reconciled())
    other = Found(log_key(there).replace("m-5553", "m-9"), lines=there.lines)
    pending, unapplied = standings_of([*found(*here), other])
    why = "pending: confirmed by the PSP, not yet traced in the bank"
    assert pending["why"] == [f"{why}; that stage changes other balances"]
    assert unapplied["why"] == [f"unapplied: {NOBODY}; that stage changes other balances"]
