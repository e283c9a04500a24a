"""What docs/psp.md tells PSPs to send is taken, and makes the figures that it says."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.available import agreement
from falcon_balances.domain.direct_operations import Adjustment, StagedOperation
from falcon_balances.domain.identity import falcon_operation_id
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import PspOperation, Stage
from falcon_balances.domain.splitting import split
from tests.builders import context_of, fee_of, histories_of

PAGE = (Path(__file__).parents[2] / "docs/psp.md").read_text(encoding="utf-8")
SENT_AT = datetime(2026, 11, 20, tzinfo=UTC)
BLOCK = re.compile(r"^(?:To )?`([a-z]+)`:\n```json\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
BEFORE = re.compile(r"`([a-z]+)` confirmed( and reconciled)?")
TRACED = {"reconciled_date": "2026-06-30T06:00:00Z", "bank_reference": "bank-0630"}
DISPUTE_FEE = fee_of("0", on="chargeback", fixed={"EUR": "15.00"})


def context(shop_id: str, local: str, merchant_id: str, **changes: Any) -> Any:
    key = {"psp_id": "psp-north", "local_merchant_id": local, "shop_id": shop_id}
    shops = {"EUR": f"bs-{merchant_id[2:]}-eur"}
    return context_of(**key, merchant_id=merchant_id, balance_shops=shops, **changes)


HISTORIES = histories_of(
    context("shop-a", "5001", "m-100", fees=[DISPUTE_FEE]),
    context("shop-b", "5002", "m-200"),
    context("shop-c", "5003", "m-100"),
    context("shop-c", "5003", "m-200", effective_from="2026-06-01T00:00:00Z"),
    context("market", "9001", "m-900"),
)


class Situation(NamedTuple):
    title: str
    before: str
    sent: list[tuple[Stage, str]]
    then: str


def parse(stage: Stage, text: str) -> StagedOperation:
    return parse_message(text.encode(), stage, mode="test", sent_at=SENT_AT)


def situations() -> Iterator[Situation]:
    for section in PAGE.split("\n### ")[1:]:
        title, _, rest = section.partition("\n")
        before = re.search(r"^\*\*Before:\*\* (.*)$", rest, re.MULTILINE)
        then = re.search(r"^\*\*Then:\*\* (.*)$", rest, re.MULTILINE)
        assert then, title
        sent = [(Stage(stage), text) for stage, text in BLOCK.findall(rest)]
        yield Situation(title, before[1] if before else "", sent, then[1])


BEGINNINGS = dict(BLOCK.findall(PAGE.partition("## Twenty situations")[0]))
SITUATIONS = list(situations())


def begun(before: str) -> Iterator[tuple[Stage, str]]:
    for name, is_reconciled in BEFORE.findall(before):
        yield Stage.CONFIRMED, BEGINNINGS[name]
        if is_reconciled:
            yield Stage.RECONCILED, json.dumps(json.loads(BEGINNINGS[name]) | TRACED)


class Net(NamedTuple):
    """Where the last revision of one stage leaves one merchant of one operation."""

    operation_id: str
    merchant_id: str
    stage: Stage


def nets_of(operations: list[StagedOperation]) -> dict[Net, int]:
    truths: dict[tuple[str, Stage], PspOperation] = {}
    for operation in operations:
        if isinstance(operation, PspOperation):
            identity = (falcon_operation_id(operation), operation.stage)
            last = truths.get(identity)
            assert last is None or operation == last or operation.revision == last.revision + 1
            truths[identity] = operation
    return {
        Net(operation_id, segment.merchant_id, stage): sum(
            line.amount.minor for line in segment.lines
        )
        for (operation_id, stage), truth in truths.items()
        for segment in split(truth, HISTORIES).segments
    }


def figures(operations: list[StagedOperation]) -> dict[str, dict[str, str]]:
    """By merchant, the figures that are not zero."""
    nets = nets_of(operations)
    total: dict[tuple[str, str], int] = {}
    for operation_id, merchant_id in {(net.operation_id, net.merchant_id) for net in nets}:
        said = agreement(
            *(
                nets.get(Net(operation_id, merchant_id, stage), 0)
                for stage in (Stage.CONFIRMED, Stage.RECONCILED)
            )
        )
        for name, minor in said._asdict().items():
            key = (merchant_id, "available" if name == "counted" else name)
            total[key] = total.get(key, 0) + minor
    for operation in operations:
        if isinstance(operation, Adjustment):
            total[operation.merchant_id, "available"] += operation.movement.minor
    by_merchant: dict[str, dict[str, str]] = {}
    for (merchant_id, name), minor in total.items():
        if minor:
            by_merchant.setdefault(merchant_id, {})[name] = at_full_scale(minor, 2)
    return by_merchant


def test_the_page_tells_twenty_situations_and_all_that_it_shows_is_read():
    assert [each.title.partition(".")[0] for each in SITUATIONS] == [str(n) for n in range(1, 21)]
    blocks = len(BEGINNINGS) + sum(len(each.sent) for each in SITUATIONS)
    assert blocks == PAGE.count("```json")


@pytest.mark.parametrize("name", BEGINNINGS)
def test_what_the_situations_begin_with_keeps_the_contract(name):
    assert isinstance(parse(Stage.CONFIRMED, BEGINNINGS[name]), PspOperation)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.title)
def test_what_is_sent_is_taken_and_makes_the_figures_that_the_page_says(situation):
    operations = [parse(*each) for each in (*begun(situation.before), *situation.sent)]
    told = {
        merchant_id: dict(pair.rsplit(" ", 1) for pair in said.split(", ") if pair[-1].isdigit())
        for part in situation.then.rstrip(".").split("; ")
        for merchant_id, _, said in [part.partition(" ")]
    }
    expected = {merchant_id: said for merchant_id, said in told.items() if said}
    assert figures(operations) == expected


def test_the_adjustment_corrects_the_dispute_that_had_the_wrong_fee():
    [(stage, text)] = SITUATIONS[-1].sent
    adjustment = parse(stage, text)
    assert isinstance(adjustment, Adjustment)
    dispute = parse(Stage.CONFIRMED, BEGINNINGS["dispute"])
    assert adjustment.corrects == falcon_operation_id(dispute)
