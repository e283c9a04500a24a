"""What a balance consists of: the largest movements, and a remainder that makes it whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.findings import REPEATED
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.movements import FIGURES, explain
from falcon_balances.audit.replay import replay
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.operations import OperationType, Stage
from generated.logs import objects_of, write
from tests.audit.definition import defined, world
from tests.audit.logs import MemoryLog
from tests.audit.replays import CAPTURE, FEES, segments_of
from tests.builders import confirmed, reconciled
from tests.strategies import few, journals

MERCHANT = "m-5553"


def explained(segments, before=None, largest=10, merchant_id=MERCHANT):
    return explain(MemoryLog(objects_of(segments)), merchant_id, before, largest)


@given(journals(), st.integers(0, 4), st.sampled_from((None, "2026-02-15T00:00:00Z")))
@few
def test_movements_and_remainder_are_the_figure_to_the_last_unit(segments, largest, before):
    log = MemoryLog(objects_of(segments))
    for merchant_id in {each.merchant_id for each in segments}:
        said = explain(log, merchant_id, before, largest)
        replayed = replay(log, Selection(merchant_id=merchant_id), before)
        assert [each.balance for each in said.balances] == list(
            balances_of(replayed.sums, replayed.agreements).values()
        )
        assert (said.lines, said.findings) == (replayed.lines, replayed.findings)
        for each in said.balances:
            for name in FIGURES:
                figure = each.figures[name]
                assert figure.minor == getattr(each.balance, name)
                assert sum(m.minor for m in figure.largest) + figure.remainder == figure.minor
                assert len(figure.largest) <= largest
                everything = explain(log, merchant_id, before, 1_000)
                whole = _figure(everything, each.balance, name)
                assert (whole.others, whole.remainder) == (0, 0)
                assert figure.largest == whole.largest[:largest]
                assert figure.others == len(whole.largest) - len(figure.largest)


def _figure(explained, balance, name):
    return next(each.figures[name] for each in explained.balances if each.balance == balance)


def test_the_largest_come_first_whatever_their_sign():
    said = explained(
        [
            *segments_of(confirmed(external_reference="a", amount="10.00")),
            *segments_of(reconciled(external_reference="a", amount="10.00")),
            *segments_of(confirmed(external_reference="b", amount="30.00", type="refund")),
            *segments_of(confirmed(external_reference="c", amount="20.00")),
            *segments_of(reconciled(external_reference="c", amount="25.00")),
        ]
    )
    (balance,) = said.balances
    told = {
        name: [(each.external_reference, each.minor) for each in figure.largest]
        for name, figure in balance.figures.items()
    }
    assert told == {
        "available": [("b", -3000), ("c", 2000), ("a", 1000)],
        "pending": [],
        "unapplied": [("c", 500)],
        "debits_unconfirmed": [],
        "debits_untraced": [("b", 3000)],
    }
    available = balance.figures["available"]
    assert (available.minor, available.others, available.remainder) == (0, 0, 0)


def test_a_movement_says_what_it_is_and_where_it_lies():
    traced = segments_of(reconciled(amount="90.00", reconciled_date="2026-11-22T10:00:00Z"), FEES)
    (balance,) = explained([*CAPTURE, *traced]).balances
    (movement,) = balance.figures["pending"].largest
    assert movement.log_keys == [log_key(CAPTURE[0]), log_key(traced[0])]
    assert (movement.minor, movement.confirmed, movement.reconciled) == (990, 9900, 8910)
    assert movement.stages == [Stage.CONFIRMED, Stage.RECONCILED]
    assert movement.types == [OperationType.CAPTURE, OperationType.PSP_FEE]
    assert movement.date == "2026-11-20T10:15:30Z"
    (counted,) = balance.figures["available"].largest
    assert counted.minor == 8910


@pytest.mark.parametrize("largest", [0, 3, 1_000])
def test_payouts_and_adjustments_move_what_is_available(largest):
    segments = world(600, 4)
    log = MemoryLog(objects_of(segments))
    stages = set()
    for merchant_id in sorted({each.merchant_id for each in segments}):
        said = explain(log, merchant_id, None, largest).balances
        definition = defined(each for each in segments if each.merchant_id == merchant_id)
        assert [each.balance for each in said] == list(definition.values())
        for each in said:
            for name, figure in each.figures.items():
                whole = sum(movement.minor for movement in figure.largest) + figure.remainder
                assert whole == figure.minor == getattr(each.balance, name)
                assert figure.remainder == 0 or figure.others
                stages |= {stage for movement in figure.largest for stage in movement.stages}
    assert len(stages) == {0: 0, 3: 2, 1_000: 4}[largest]


def test_a_line_counts_once_and_its_repetition_is_told():
    objects = objects_of(CAPTURE)
    (key,) = objects
    later = key.replace("date=2026-11-20", "date=2026-11-21")
    body = objects[key].replace(b"2026-11-20T", b"2026-11-21T")
    for some in ({key: objects[key], later: body}, {later: body, key: objects[key]}):
        said = explain(MemoryLog(some), MERCHANT, None, 10)
        (balance,) = said.balances
        assert [each.log_keys for each in balance.figures["pending"].largest] == [[key]]
        assert balance.balance.pending == 9900
        assert {(each.key, each.problem) for each in said.findings} == {(later, REPEATED)}
    assert said.findings == replay(MemoryLog(some), Selection(merchant_id=MERCHANT)).findings


def test_a_flawed_object_is_told_and_counts_not_at_all(tmp_path):
    segments = [*CAPTURE, *segments_of(confirmed(external_reference="order-2"), FEES)]
    folder = write(objects_of(segments), tmp_path)
    flawed = folder / log_key(segments[0])
    flawed.write_bytes(flawed.read_bytes().replace(b"100.00", b"0100.00"))
    said = explain(LogFolder(folder), MERCHANT, None, 10)
    assert [each.key for each in said.findings] == [log_key(segments[0])]
    assert said.balances[0].balance.pending == 9900


@pytest.mark.parametrize(("merchant_id", "before"), [("m-nobody", None), (MERCHANT, "2026-01-01")])
def test_nothing_is_said_of_nothing(merchant_id, before):
    said = explained(CAPTURE, before, merchant_id=merchant_id)
    assert said.balances == []
    assert said.objects == (0 if merchant_id == "m-nobody" else 1)
