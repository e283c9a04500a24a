"""docs/architecture.md names the home of each rule: one function, and a test with its word."""

import ast
import re
from functools import cache
from typing import Final, NamedTuple

import pytest

from tests.docs.pages import ROOT, pages, tracked

PAGE: Final = "docs/architecture.md"
RULES: Final = (
    "fee rounding",
    "available",
    "log key",
    "refund authorization",
    "payout states",
    "statement closing",
    "day closing",
    "cursor",
    "manifest leaf",
    "camt.053 sign",
    "block expiry",
    "error order",
    "cut completion",
)
_ROW: Final = re.compile(r"^\| ([a-z0-9. ]+) \| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", re.M)
# `rounding` is also found as `rounded`: the beginning of a word is what one searches for.
STEM: Final = 5


class Home(NamedTuple):
    rule: str
    file: str
    name: str
    test: str


HOMES: Final = [Home(*row) for row in _ROW.findall(pages()[PAGE])]


@cache
def names_in(path: str) -> frozenset[str]:
    """Functions and classes of a module, and methods as `Class.method`."""
    names: set[str] = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{each.name}"
                for each in node.body
                if isinstance(each, ast.FunctionDef)
            }
    return frozenset(names)


def stems(rule: str) -> list[str]:
    return [word[:STEM] for word in rule.replace(".", "").split()]


def searched(home: Home) -> str:
    """What one finds by name: both files, and the tests in the second."""
    tests = " ".join(name for name in names_in(home.test) if name.startswith("test_"))
    return f"{home.file} {home.test} {tests}"


def faults(home: Home) -> list[str]:
    """Why it is no home of its rule."""
    missing = [path for path in (home.file, home.test) if path not in tracked()]
    if missing:
        return [f"no file {path}" for path in missing]
    found = [] if home.name in names_in(home.file) else [f"no {home.name} in {home.file}"]
    return found + [
        f"no name with {stem}" for stem in stems(home.rule) if stem not in searched(home)
    ]


def test_the_table_has_the_rules_that_one_looks_for_first():
    assert tuple(home.rule for home in HOMES) == RULES


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.rule)
def test_a_rule_is_where_the_table_says(home):
    assert faults(home) == []


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.rule)
def test_a_rule_has_its_word_in_the_name_of_its_file_or_of_its_test(home):
    """One searches file names first."""
    files = f"{home.file.rpartition('/')[2]} {home.test.rpartition('/')[2]}"
    assert any(stem in files for stem in stems(home.rule))


def test_a_wrong_home_is_noticed():
    right = Home("cursor", "falcon_balances/contracts/cursors.py", "Cursors", "tests/docs/pages.py")
    assert faults(right._replace(file="falcon_balances/contracts/gone.py")) == [
        "no file falcon_balances/contracts/gone.py"
    ]
    assert faults(right._replace(name="write_cursor")) == [
        "no write_cursor in falcon_balances/contracts/cursors.py"
    ]
    assert faults(right._replace(rule="cursor padding")) == ["no name with paddi"]
