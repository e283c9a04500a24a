"""Both stages are joined exactly: whatever the order, the size, or the hash."""

from random import Random
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.audit import standings
from falcon_balances.audit.line_fields import id_words
from falcon_balances.audit.standing_rows import BalanceId, Moved, rows_of_lines
from falcon_balances.audit.standings import NOTHING, OperationNets, Standings, plus
from falcon_balances.domain.available import Agreement, agreement
from falcon_balances.domain.operations import Stage
from tests.strategies import few

IDS = [str(UUID(int=n << 64 | n)) for n in range(4)]
BALANCES = [BalanceId(merchant, shop, "EUR") for merchant in ("m-1", "m-2") for shop in "ab"]

amounts = st.one_of(st.integers(-5, 5), st.integers(-(10**19), 10**19))
lines = st.builds(
    Moved, st.sampled_from(IDS), st.sampled_from(BALANCES), st.sampled_from(Stage), amounts
)


def nets(moved):
    found: dict[tuple[str, BalanceId], list[int]] = {}
    for line in moved:
        if line.stage in (Stage.CONFIRMED, Stage.RECONCILED):
            both = found.setdefault((line.falcon_operation_id, line.balance), [0, 0])
            both[line.stage is Stage.RECONCILED] += line.minor
    return found


def expected(moved):
    total: dict[BalanceId, Agreement] = {}
    for (_, balance), (confirmed, reconciled) in nets(moved).items():
        if confirmed != reconciled:
            agreed = agreement(confirmed, reconciled)
            total[balance] = plus(total.get(balance, NOTHING), agreed)
    return total


@given(st.lists(st.lists(lines, max_size=6), max_size=6), st.sampled_from((0, 7, 1_000)))
@few
def test_figures_are_those_of_each_operation_added_up(batches, held_max):
    moved = [line for batch in batches for line in batch]
    with Standings(held_max) as held:
        for batch in batches:
            held.add(rows_of_lines(batch))
        assert held.agreements() == expected(moved)
        assert sorted(held.standings()) == sorted(
            OperationNets(*name, *both) for name, both in nets(moved).items()
        )


@given(st.lists(lines, max_size=9))
@few
def test_standings_with_equal_keys_stay_apart(moved):
    with pytest.MonkeyPatch.context() as patch, Standings() as held:
        patch.setattr(standings, "_keys", lambda rows: np.zeros(len(rows), dtype=np.uint64))
        for line in moved:
            held.add(rows_of_lines([line]))
        assert held.agreements() == expected(moved)


def test_an_id_is_its_128_bits():
    rng = Random(1)
    some = [UUID(int=rng.getrandbits(128)) for _ in range(50)]
    texts = np.frombuffer("".join(map(str, some)).encode(), np.uint8).reshape(-1, 36)
    assert id_words(texts).tobytes() == b"".join(each.bytes for each in some)
    assert id_words(texts[:0]).shape == (0, 2)


def test_what_is_put_on_disk_is_joined_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Standings(held_max=10) as held:
        for n in range(100):
            ids = str(UUID(int=n * 2**100 + n))
            held.add(rows_of_lines([Moved(ids, BALANCES[0], Stage.CONFIRMED, n + 1)]))
        assert len(list(tmp_path.glob("*/*"))) == 256
        [(_, agreed)] = held.agreements().items()
        assert agreed.pending == sum(range(101))
    assert list(tmp_path.iterdir()) == []
