"""What docs/balances.md tells merchants is what the rule makes of it."""

import re
from pathlib import Path

import pytest

from falcon_balances.domain.available import Agreement, agreement

PAGE = (Path(__file__).parents[2] / "docs/balances.md").read_text(encoding="utf-8")
CASES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## What one sale or refund does")[2].splitlines()
    if line.startswith("|")
][2:]


def minor(amount: str) -> int:
    return int(amount.replace(".", ""))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_every_case_of_the_table_is_what_the_rule_says(case):
    confirmed, reconciled, *figures = map(minor, case[1:])
    assert agreement(confirmed, reconciled) == Agreement(*figures)


def test_the_table_has_every_kind_of_case():
    signs = {(row[1][0] == "-", row[2][0] == "-") for row in CASES}
    assert len(signs) == 4
    assert len(CASES) >= 12


FIGURES = ("confirmed", "reconciled", "available", "pending", "unapplied")
DEBITS = ("debits_unconfirmed", "debits_untraced")
MINUS, PLUS = "\N{MINUS SIGN}", "+"


@pytest.mark.parametrize("side", ["confirmed", "reconciled"])
def test_the_two_sums_of_the_page_hold_for_every_case(side):
    [formula] = [line for line in PAGE.splitlines() if line.startswith(f"- `available` = `{side}`")]
    terms = re.findall(f"([{MINUS}{PLUS}]) `([a-z_]+)`", formula)
    assert {"withdrawn", "adjusted", "blocked"} < {name for _, name in terms}
    for row in CASES:
        known = dict(zip(FIGURES + DEBITS, map(minor, row[1:]), strict=True))
        total = known[side] + sum(
            known.get(name, 0) * (-1 if sign == MINUS else 1) for sign, name in terms
        )
        assert total == known["available"]
