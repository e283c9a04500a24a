"""The whole path on moto: WINDOW and DAY items add up to BALANCE, and BALANCE is fold(log)."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from falcon_balances.domain.balances import fold
from falcon_balances.domain.log_format import parse_csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.marked_segments import marked_segment
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.domain.past_keys import WindowKey
from falcon_balances.domain.table_keys import ItemKey, merchant_pk
from tests.builders import (
    confirmed,
    context_of,
    cut_of,
    data_of,
    fee_of,
    marketplace,
    raw,
    reconciled,
    shop,
)
from tests.component.conftest import aws_world, forget_adapters
from tests.component.lambda_events import SHARD
from tests.component.world import AwsWorld, utc

MERCHANTS = ["m-5553", "m-market", "m-a", "m-b"]
CONTEXTS = (
    context_of(
        fees=[
            fee_of("1.50", fixed={"EUR": "0.25"}),
            fee_of("0", on="refund", fixed={"EUR": "1.00"}),
        ]
    ),
    context_of("market"),
    context_of("a", fees=[fee_of("2.00", min={"EUR": "0.50"})]),
    context_of("b"),
)
PARTS = [("a", "60.00", "3.00"), ("b", "40.00", "2.00"), ("a", "10.00", None)]
BANK = {"reconciled_date": "2026-11-20T00:30:00Z", "bank_reference": "bank-1"}


def events(day: int) -> list[dict[str, Any]]:
    """A day of a shop and a marketplace: captures, refunds, a chargeback, yen."""
    date = {"operation_date": f"2026-11-{day:02d}T23:45:00Z"}
    return [
        *(
            confirmed(external_reference=f"{day}-{n}", amount=f"{n + 1}.{n}9", **date)
            for n in range(5)
        ),
        confirmed(external_reference=f"{day}-yen", amount="777", currency="JPY", **date),
        confirmed(external_reference=f"{day}-back", type="refund", amount="2.00", **date),
        confirmed(external_reference=f"{day}-cb", type="chargeback", amount="1.19", **date),
        confirmed(external_reference=f"{day}-bonus", type="cashback", amount="0.01", **date),
        marketplace(PARTS, "110.00", external_reference=f"{day}-market", **date),
        marketplace(PARTS[:1], "60.00", external_reference=f"{day}-m", type="refund", **date),
    ]


@pytest.fixture(scope="module")
def worked():
    """Three days in both stages, in three quarters of an hour, with repeats and refusals."""
    with pytest.MonkeyPatch.context() as patch, aws_world(patch) as world:
        world.load(*CONTEXTS)
        for position, day in enumerate((17, 18, 19)):
            bodies = [raw(event) for event in events(day)]
            refused = [b"nonsense", raw(confirmed(**shop("nobody")))]
            assert world.dispatch(*bodies, *refused, *bodies[:3]) == []
            patch.setenv("STAGE", "reconciled")
            forget_adapters()
            traced = [raw(reconciled(**event | BANK)) for event in events(day)[position:]]
            assert world.dispatch(*traced, *traced[:2]) == []
            patch.setenv("STAGE", "confirmed")
            forget_adapters()
            count_what_is_new(world, utc(f"2026-11-20T10:{15 * position:02d}:30"))
        yield world


def count_what_is_new(world: AwsWorld, arrived_at) -> None:
    """In batches of nine that overlap, with a cut at the end of each shard."""
    for shard_id, records in world.stream().items():
        new = records[world.read_until.get(shard_id, 0) :]
        for start in range(0, len(new), 6):
            world.reduce(*new[start : start + 9], arrived_at=arrived_at, shard_id=shard_id)
        cut = data_of(cut_of(f"{arrived_at:%Y-%m-%dT%H:%M:%SZ}", SHARD, "shardId-000000000001"))
        world.reduce(cut, arrived_at=arrived_at, shard_id=shard_id)
        world.read_until[shard_id] = len(records)


def by_balance(items: dict[str, dict[str, int]]) -> dict[str, Counter[str]]:
    """Counters summed over all items of `{balance shop}#{currency}`, without those at zero."""
    sums: dict[str, Counter[str]] = {}
    for sk, counters in items.items():
        (shop,) = (each for each in sk.split("#") if each.startswith("bs-"))
        total = sums.setdefault(f"{shop}#{sk.partition(shop)[2].split('#')[1]}", Counter())
        for name, value in counters.items():
            total[name] += value
    return {balance: Counter(_not_zero(total)) for balance, total in sums.items()}


def _not_zero(total: Counter[str]) -> dict[str, int]:
    return {name: value for name, value in total.items() if value}


def of_stages(sums: Counter[str]) -> dict[str, int]:
    """What each stage says, worked out again from turnover."""
    counters: Counter[str] = Counter()
    for name, value in sums.items():
        stage, _, _ = name.partition("_")
        counters[name if name == "operations_count" else stage] += value
    return _not_zero(counters)


def _of_stages_in(counters: Counter[str]) -> dict[str, int]:
    names = ("confirmed", "reconciled", "operations_count")
    return _not_zero(Counter({name: counters[name] for name in names}))


def test_windows_and_days_add_up_to_the_balance_of_every_merchant(worked):
    for merchant_id in MERCHANTS:
        assert_windows_and_days_add_up(worked, merchant_id)


def assert_windows_and_days_add_up(worked: AwsWorld, merchant_id: str) -> None:
    balances = by_balance(worked.items("BALANCE", merchant_id))
    windows = worked.items("WINDOW", merchant_id)
    days = by_balance(worked.items("DAY", merchant_id))
    assert balances
    assert by_balance(windows) == balances
    assert {balance: of_stages(sums) for balance, sums in days.items()} == {
        balance: _of_stages_in(counters) for balance, counters in balances.items()
    }
    assert {WindowKey.parse(sk).start for sk in windows} == {
        "2026-11-20T10:00:00Z",
        "2026-11-20T10:15:00Z",
        "2026-11-20T10:30:00Z",
    }


def segments_of(log: dict[str, str]) -> Iterable[Segment]:
    for key, body in log.items():
        stage, merchant, *_ = key.split("/")
        merchant_id = merchant.removeprefix("merchant_id=")
        yield Segment(Stage(stage), merchant_id, 1, 1, parse_csv_body(body))


def test_every_balance_is_the_fold_of_the_log(worked):
    folded: dict[str, dict[str, Counter[str]]] = {}
    for (merchant_id, *balance), counters in fold(segments_of(worked.log())).items():
        of_merchant = folded.setdefault(merchant_id, {})
        of_merchant["#".join(balance)] = Counter(_not_zero(Counter(counters)))
    assert folded == {name: by_balance(worked.items("BALANCE", name)) for name in MERCHANTS}


def test_every_claim_s_segments_are_logged_and_counted_once_and_nothing_else(worked):
    claimed = {
        segment.log_key: claim.body_of(segment)
        for claim in worked.claims()
        for segment in claim.segments
    }
    marks = [
        marked_segment(ItemKey(merchant_pk(name), sk), mark)
        for name in MERCHANTS
        for sk, mark in worked.items("OPERATION", name).items()
    ]
    assert worked.log() == claimed
    counted = {log_key(segment): segment.lines for segment in marks}
    assert counted == {key: parse_csv_body(body) for key, body in claimed.items()}
    assert len(marks) == len(worked.log_versions()) == len(claimed)
    assert worked.as_of() == "2026-11-20T10:30:30Z"


def test_all_of_it_again_changes_nothing_but_the_stream(worked):
    before = [worked.log_versions(), worked.claims()]
    before += [worked.items(kind, name) for kind in ("BALANCE", "DAY") for name in MERCHANTS]
    bodies = [raw(event) for day in (19, 17, 18) for event in reversed(events(day))]
    assert worked.dispatch(*bodies) == []
    worked.drain()
    after = [worked.log_versions(), worked.claims()]
    after += [worked.items(kind, name) for kind in ("BALANCE", "DAY") for name in MERCHANTS]
    assert after == before
