"""What holds for every event and every order of events (design §10, promises 2, 3, 4 and 7)."""

from collections.abc import Callable, Iterable
from random import Random
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain import parts
from falcon_balances.domain.available import Joint
from falcon_balances.domain.balances import fold
from falcon_balances.domain.compact_lines import compact_text, lines_of_text
from falcon_balances.domain.counting import COUNTERS, add_to
from falcon_balances.domain.effects import read_effect
from falcon_balances.domain.identity import canonical_document, falcon_operation_id, fingerprint
from falcon_balances.domain.instants import quarter_of
from falcon_balances.domain.log_format import csv_body, expected_uuids, parse_csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.operations import SIGN_BY_TYPE, OperationType, Segment
from falcon_balances.domain.parts import ArrivedSegment, countable_parts
from falcon_balances.domain.past_keys import WindowKey
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import BalanceKey, DayKey, ItemKey
from falcon_balances.domain.table_writes import AddCounters, PutMark, PutStanding, TableWrite
from falcon_balances.domain.transactions import (
    TRANSACTION_ITEMS_MAX,
    joined,
    transactions,
    writes_of,
)
from tests.strategies import Case, accepted_cases, few, instants, journals

BALANCE_OF: dict[str, Callable[[str], BalanceKey]] = {
    "BALANCE": BalanceKey.parse,
    "WINDOW": lambda sk: WindowKey.parse(sk).balance,
    "DAY": lambda sk: DayKey.parse(sk).balance,
}
FEES = (OperationType.PSP_FEE, OperationType.MARKETPLACE_FEE)


def sum_of(segments: Iterable[Segment], *types: OperationType) -> int:
    return sum(line.amount.minor for item in segments for line in item.lines if line.type in types)


@few
@given(accepted_cases())
def test_an_events_lines_add_up_to_what_the_event_says(case: Case):
    operation, segments = case.operation, case.split().segments
    said = SIGN_BY_TYPE[operation.type] * operation.amount.minor
    assert sum_of(segments, operation.type) == said
    assert sum_of(segments, OperationType.MARKETPLACE_FEE) == 0
    assert sum_of(segments, OperationType.PSP_FEE) <= 0
    total = sum_of(segments, *OperationType)
    assert total == said + sum_of(segments, OperationType.PSP_FEE)


@few
@given(accepted_cases())
def test_every_line_is_of_the_event_and_the_amount_has_its_sign(case: Case):
    operation = case.operation
    for segment in case.split().segments:
        for line in segment.lines:
            sign = SIGN_BY_TYPE[line.type]
            assert line.amount.minor * sign > 0 if sign else line.amount.minor != 0
            assert line.type in (operation.type, *FEES)
            assert line.currency == operation.amount.currency
            assert line.operation_date == operation.booked_at == segment.booked_at
            assert line.falcon_operation_id == falcon_operation_id(operation)


@few
@given(accepted_cases())
def test_the_same_event_and_contexts_give_the_same_bytes(case: Case):
    first, second = case.split(), case.split()
    assert first == second
    backwards = Case(case.document, case.stage, dict(reversed(list(case.histories.items()))))
    assert [csv_body(item) for item in backwards.split().segments] == [
        csv_body(item) for item in first.segments
    ]


@few
@given(accepted_cases())
def test_segments_are_numbered_and_their_uuids_and_keys_are_unique(case: Case):
    segments = case.split().segments
    merchants = [item.merchant_id for item in segments]
    assert merchants == sorted(set(merchants))
    assert [(item.part, item.parts) for item in segments] == [
        (n, len(segments)) for n in range(1, len(segments) + 1)
    ]
    uuids = [line.uuid for item in segments for line in item.lines]
    assert len(uuids) == len(set(uuids))
    assert len({log_key(item) for item in segments}) == len(segments)


def _marked(segment: Segment) -> tuple[str, str, str]:
    return segment.merchant_id, segment.falcon_operation_id, segment.staged


@few
@given(accepted_cases())
def test_a_body_reads_back_as_the_lines_that_it_was_written_from(case: Case):
    for segment in case.split().segments:
        body = csv_body(segment)
        assert parse_csv_body(body) == segment.lines
        assert lines_of_text(compact_text(segment.lines), *_marked(segment)) == segment.lines
        assert body.isascii()
        uuids = [line.uuid for line in segment.lines]
        assert expected_uuids(segment.staged, segment.merchant_id, segment.lines) == uuids


@few
@given(accepted_cases())
def test_the_canonical_document_is_the_same_event_and_its_own_canonical_document(case: Case):
    operation = case.operation
    document = canonical_document(operation)
    again = parse_document(document, case.stage)
    assert again == operation
    assert canonical_document(again) == document
    assert fingerprint(again) == fingerprint(operation)


@few
@given(journals(), st.randoms(use_true_random=False))
def test_folding_ignores_order_and_dropped_repeats(journal: list[Segment], random: Random):
    repeated = journal + random.choices(journal, k=3) if journal else []
    random.shuffle(repeated)
    once = {log_key(segment): segment for segment in repeated}
    assert fold(once.values()) == fold(journal)


Sums = dict[tuple[str, str, str], dict[str, int]]


class Table:
    """Counts as DynamoDB would: all of a transaction or nothing of it."""

    def __init__(self) -> None:
        self.marks: dict[ItemKey, PutMark] = {}
        self.counters: dict[ItemKey, dict[str, int]] = {}
        self.standings: dict[ItemKey, Standing] = {}

    def transact(self, writes: list[TableWrite]) -> None:
        keys = [write.key for write in writes]
        assert len(keys) == len(set(keys)) <= TRANSACTION_ITEMS_MAX
        for write in writes:
            if isinstance(write, AddCounters):
                add_to(self.counters.setdefault(write.key, {}), write.counters)
            elif isinstance(write, PutMark):
                assert write.key not in self.marks
                self.marks[write.key] = write
            elif isinstance(write, PutStanding):
                there = self.standings.get(write.key)
                assert write.seen == (0 if there is None else there.version)
                self.standings[write.key] = Standing.from_attributes(write.key, write.attributes)

    def sums_of(self, kind: str) -> dict[tuple[str, str, str], dict[str, int]]:
        """By merchant, balance shop and currency, over all items of a kind."""
        sums: dict[tuple[str, str, str], dict[str, int]] = {}
        for key, counters in self.counters.items():
            if key.sk.startswith(f"{kind}#"):
                merchant_id = key.pk.removeprefix("MERCHANT#")
                total = sums.setdefault((merchant_id, *BALANCE_OF[kind](key.sk)), {})
                add_to(total, counters)
        return sums


def counted(arrivals: list[ArrivedSegment], batch_size: int) -> Table:
    table = Table()
    for start in range(0, len(arrivals), batch_size):
        count(arrivals[start : start + batch_size], table)
    return table


def count(batch: list[ArrivedSegment], table: Table) -> None:
    for group in transactions(part for item in batch for part in countable_parts(item)):
        table.transact(writes_of(*joined(group, table.standings)))


def of_stage(by_type: dict[str, int], stage: str) -> int:
    return sum(value for name, value in by_type.items() if name.startswith(f"{stage}_"))


def without_zeros(sums: dict[tuple[str, str, str], dict[str, int]]) -> Sums:
    return {
        key: {name: value for name, value in counters.items() if value}
        for key, counters in sums.items()
    }


@st.composite
def arrivals(draw: st.DrawFn) -> list[ArrivedSegment]:
    return [
        ArrivedSegment(item, quarter_of(draw(instants)), log_key(item), "f" * 64)
        for item in draw(st.permutations(draw(journals())))
    ]


@few
@given(arrivals(), st.integers(1, 5))
def test_windows_and_days_and_balances_are_the_same_money(
    arrived: list[ArrivedSegment], batch_size: int
):
    table = counted(arrived, batch_size)
    folded = fold(item.segment for item in arrived)
    assert without_zeros(table.sums_of("BALANCE")) == without_zeros(folded)
    assert without_zeros(table.sums_of("WINDOW")) == without_zeros(folded)
    days = table.sums_of("DAY")
    assert days.keys() == folded.keys()
    for key, by_type in days.items():
        for stage in ("confirmed", "reconciled"):
            assert of_stage(by_type, stage) == folded[key][stage]
        assert by_type["operations_count"] == folded[key]["operations_count"]
        assert folded[key].keys() == set(COUNTERS)


@few
@given(arrivals())
def test_every_figure_adds_up_on_every_balance_after_every_segment(arrived: list[ArrivedSegment]):
    """The identities of design §7, and that the joint figures never fall below zero."""
    table = Table()
    for item in arrived:
        count([item], table)
        for counters in table.sums_of("BALANCE").values():
            of = dict.fromkeys(COUNTERS, 0) | counters
            agreed = of["available"]
            assert agreed == of["confirmed"] - of["pending"] - of["debits_unconfirmed"]
            assert agreed == of["reconciled"] - of["unapplied"] - of["debits_untraced"]
            joint = ("pending", "unapplied", "debits_unconfirmed", "debits_untraced")
            assert min(of[name] for name in joint) >= 0


@few
@given(arrivals())
def test_merged_additions_are_the_sum_over_the_parts(arrived: list[ArrivedSegment]):
    together, one_by_one = counted(arrived, len(arrived) or 1), counted(arrived, 1)
    assert together.counters == one_by_one.counters
    assert together.marks == one_by_one.marks
    assert together.standings == one_by_one.standings
    assert len(together.marks) == len(arrived)


@few
@given(arrivals(), st.integers(1, 3), st.integers(1, 5))
def test_parts_of_any_size_count_the_same_and_keep_what_they_added(
    arrived: list[ArrivedSegment], size: int, batch_size: int
):
    with patch.object(parts, "BALANCES_PER_PART", size):
        table = counted(arrived, batch_size)
    folded = fold(item.segment for item in arrived)
    assert without_zeros(table.sums_of("BALANCE")) == without_zeros(folded)
    effects: dict[tuple[str, str, str], dict[str, int]] = {}
    for key, mark in table.marks.items():
        for balance, joint in read_effect(str(mark.attributes["effect"])).items():
            total = effects.setdefault((key.pk.removeprefix("MERCHANT#"), *balance), {})
            add_to(total, joint._asdict())
    assert effects == {
        balance: {name: counters[name] for name in Joint._fields}
        for balance, counters in folded.items()
    }
