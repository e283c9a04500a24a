"""docs/demo.md shows what the demo prints: every line, figures apart, is one of the demo's own."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import pytest
from pydantic import BaseModel

from demo.__main__ import BASKET, DATA, FIGURES, SENT, SHOWN, publish, read
from demo.story import Story
from falcon_balances.contracts.authorizations import RefundAuthorizationV1
from falcon_balances.contracts.balance_document import BalanceDocumentV1
from falcon_balances.contracts.problems import ProblemV1
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.contracts.unreconciled_documents import UnreconciledSumV1
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.log_grammar import COLUMNS, HEADER
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.operations import Stage
from lambdas.balance_api import handler
from lambdas.systems_api import handler as systems
from tests.docs.pages import ROOT, blocks, tracked

PAGE: Final = "docs/demo.md"
# What fills a template is not looked at; a template of nothing else says nothing.
HOLE: Final = ".+"
SENT_AT: Final = parse_rfc3339("2026-11-30T00:00:00Z")


@cache
def shown() -> tuple[str, ...]:
    """The lines of the transcript, without the command and the empty ones."""
    [transcript] = [block for block in blocks(PAGE) if block.startswith("$ make demo\n")]
    return tuple(line for line in transcript.splitlines()[1:] if line)


def texts(called: str) -> Iterator[str]:
    """As patterns, the texts that the demo hands to a method of its story."""
    for path in sorted({*(ROOT / "demo").glob("*.py")} - {ROOT / "demo/story.py"}):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                is_text = node.args and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
                if node.func.attr == called and is_text:
                    yield _pattern(node.args[0])


def _pattern(text: ast.expr) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else HOLE for part in parts
    )


def templates() -> set[str]:
    """Of every line that the demo can print, but those of tables."""
    acts = {f"== {each}" for each in texts("act")}
    checks = {f"   ok  {each}" for each in texts("check")}
    said = {line for each in texts("say") for line in each.split("\\\n")}
    return {each for each in acts | checks | said if each.replace(HOLE, "").strip(" \\")}


def matches(patterns: set[str], line: str) -> bool:
    return any(re.fullmatch(pattern, line) for pattern in patterns)


class Printed:
    """A stack that answers as the demo's does, so that what is printed about it can be read."""

    def falcon_json(self, *words: str) -> dict[str, Any]:
        name = words[-4] if "psp" in words else ""
        lines = len(read(name.removeprefix(f"{SHOWN}/"))) if name else 0
        counts = dict.fromkeys(("sent", "counted"), lines)
        return {**counts, "quarantined": 0, "pending": 0, "seconds": 1.0}


def tables(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Lines of tables, made of the demo's own data by the demo's own code."""
    story: Story = Story()
    publish(story, Printed())  # type: ignore[arg-type]  # all of it that is asked
    basket = [
        (each["part"], each["merchant_id"], ", ".join(map(" ".join, each["lines"])))
        for each in read("expected-log.jsonl")
        if each["external_reference"] == BASKET and each["stage"] == "confirmed"
    ]
    story.table([("object", "merchant", "lines"), *sorted(basket)], left=3)
    balances = read("expected-balances.jsonl")
    figures = [
        (each["merchant_id"], each["currency"], *(str(each[name]) for name in FIGURES))
        for each in balances
    ]
    story.table([("merchant", "currency", *FIGURES), *figures], left=2)
    return set(capsys.readouterr().out.splitlines())


def is_operation(line: str) -> bool:
    """A row of the table of operations, or its header."""
    cells = re.split(r"  +", line.strip())
    if cells == ["stage", "type", "reference", "operation date"]:
        return True
    try:
        stage, _, _, date = cells
        return Stage(stage) in Stage and parse_rfc3339(date) is not None
    except ValueError:
        return False


def is_log(line: str) -> bool:
    text = line.strip()
    return text == HEADER or merchant_of(text) is not None or text.count(",") == len(COLUMNS) - 1


def is_quarantine(line: str) -> bool:
    return re.fullmatch(r"   [a-z]+/date=[0-9-]+/[0-9a-f]{64}", line) is not None


def is_document(line: str) -> bool:
    """JSON of a contract that still reads it."""
    try:
        found = json.loads(line)
    except ValueError:
        return False
    if isinstance(found, list):
        return all(UnreconciledSumV1.model_validate(each) for each in found)
    if line.strip() == (DATA / SENT[0][1]).read_text(encoding="utf-8").splitlines()[0]:
        return True
    contracts: dict[str, type[BaseModel]] = {
        "balances": BalanceDocumentV1,
        "authorized": RefundAuthorizationV1,
        "title": ProblemV1,
    }
    [model] = [model for name, model in contracts.items() if name in found]
    return bool(model.model_validate(found))


@cache
def first_refusal() -> RejectedOperation:
    """Of the demo's first wrong line, by the rules that the dispatcher goes by."""
    raw = (DATA / "wrong.jsonl").read_bytes().splitlines()[0]
    try:
        parse_message(raw, Stage.CONFIRMED, mode="test", sent_at=SENT_AT)
    except RejectedOperation as rejected:
        return rejected
    raise AssertionError("the demo's first wrong line is not refused")


def is_refusal(line: str) -> bool:
    """A code, and a reason that the code gives today."""
    found = re.fullmatch(r"     (E_[A-Z_]+)  (.+)", line)
    if found is None or found[1] not in set(RejectionCode):
        return False
    return found[2] == first_refusal().reason or any(
        f'"{found[2]}"' in (ROOT / path).read_text(encoding="utf-8")
        for path in tracked()
        if path.startswith(("lambdas/", "falcon_balances/")) and path.endswith(".py")
    )


KINDS: Final[list[Callable[[str], bool]]] = [
    is_operation,
    is_log,
    is_quarantine,
    is_refusal,
    is_document,
]


def test_every_line_that_is_shown_is_one_that_the_demo_prints(capsys):
    known, rows = templates(), tables(capsys)
    assert len(known) > 40
    unknown = [
        line
        for line in shown()
        if not matches(known, line) and line not in rows and not any(kind(line) for kind in KINDS)
    ]
    assert unknown == []


@pytest.mark.parametrize(
    "line",
    [
        "   ok  every figure is the one that it was",
        "== What never happens",
        "   m-books  EUR  1.00",
    ],
)
def test_a_line_that_the_demo_does_not_print_is_noticed(line, capsys):
    assert not matches(templates(), line)
    assert line not in tables(capsys)
    assert not any(kind(line) for kind in KINDS)


def test_every_act_and_every_check_of_the_demo_is_shown():
    acts = [f"== {each}" for each in texts("act")]
    checks = [f"   ok  {each}" for each in texts("check")]
    assert len(checks) > 15
    missing = [
        each for each in acts + checks if not any(re.fullmatch(each, line) for line in shown())
    ]
    assert missing == []


def test_as_many_checks_are_shown_as_passed():
    passed = sum(line.startswith("   ok  ") for line in shown())
    assert re.fullmatch(rf"All {passed} checks passed, in [0-9.]+ s\.", shown()[-1])
    assert not [line for line in shown() if line.startswith("   NO  ")]


def test_what_is_refused_is_refused_with_the_reason_shown():
    refusal = first_refusal()
    assert f"     {refusal.code}  {refusal.reason}" in shown()
    assert not is_refusal("     E_AMOUNT  not of the form")
    assert not is_refusal(f"     E_NOTHING  {refusal.reason}")


def test_every_address_that_is_shown_is_one():
    asked = [line.split() for line in shown() if re.match(r"   (GET|POST) /", line)]
    routes = [*handler.api.routes, *systems.api.routes]
    assert len(asked) > 8
    for method, address, *_ in asked:
        path = address.partition("?")[0].rstrip(",")
        assert any(each.method == method and each.path.fullmatch(path) for each in routes), address


def test_the_readme_shows_lines_of_the_demo():
    [excerpt] = [block for block in blocks("README.md") if block.startswith("== ")]
    lines = excerpt.splitlines()
    assert 10 <= len(lines) <= 14
    assert [line for line in lines if line not in shown()] == []
