import math

import pytest

from falcon_balances.capacity.bill import Billing, Paying, TableClass, bill, unit_price
from falcon_balances.capacity.counts import batches
from falcon_balances.capacity.keeping import classes, kept
from falcon_balances.capacity.limits import limits, shards_for
from falcon_balances.capacity.planning import plan
from falcon_balances.capacity.prices import list_prices
from falcon_balances.capacity.workload import Batching, Workload

PRICES = list_prices()
LOADS = (0.001, 1, 12, 500, 5_000, 50_000, 1_000_000)


@pytest.mark.parametrize(
    "said",
    [
        *({"per_second": each} for each in (0, -1, math.nan, math.inf, -math.inf, 1e7, 1e-9)),
        *({"merchants": each} for each in (0, -1, 100_001)),
        *({"zipf": each} for each in (-0.1, math.nan, math.inf, 11)),
        *({"years": each} for each in (-1, math.nan, math.inf, 101)),
        *({"batching": Batching(queue_window_s=each)} for each in (-1, 301)),
        *({"batching": Batching(stream_window_s=each)} for each in (-1, 301)),
    ],
)
def test_a_figure_outside_its_bounds_is_refused_by_the_name_of_its_option(said):
    (name,) = said
    option = "window" if name == "batching" else name.replace("_", "-")
    with pytest.raises(ValueError, match=f"--.*{option} must be a number from"):
        Workload(**({"per_second": 1} | said))


@pytest.mark.parametrize("per_second", LOADS)
@pytest.mark.parametrize("merchants", [1, 2, 100, 100_000])
@pytest.mark.parametrize("zipf", [0, 1, 10])
def test_every_figure_of_every_load_is_a_number_above_zero(per_second, merchants, zipf):
    document = plan(Workload(per_second, merchants, zipf), PRICES)
    found = [*document["needs"].values(), *(each["share"] for each in document["limits"])]
    for way in document["bill"].values():
        found += [*way["items"].values(), way["per_million"], way["per_month"]]
    assert all(math.isfinite(each) and each > 0 for each in found)
    assert document["needs"]["shards"] <= merchants
    assert document["needs"]["balances_a_batch"] <= document["needs"]["records_a_batch"]
    shares = [each["share"] for each in document["limits"]]
    assert shares == sorted(shares, reverse=True)
    assert document["first_limit"] == document["limits"][0]


@pytest.mark.parametrize("zipf", [0, 0.8, 1.3])
def test_as_many_different_merchants_as_among_messages_that_are_drawn(zipf):
    load = Workload(1, merchants=50, zipf=zipf)
    assert load.merchants_among(1) == pytest.approx(1)
    found = [load.merchants_among(count) for count in (1, 10, 100, 1_000, 10**9)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(50)


def test_a_merchant_with_500_a_second_is_within_every_limit_and_one_with_1000_is_not():
    load = Workload(500, merchants=1)
    found = limits(load, 1, batches(load, 1))
    assert all(limit.share < 0.8 for limit in found)
    too_much = Workload(1_000, merchants=1)
    above = [limit for limit in limits(too_much, 1, batches(too_much, 1)) if limit.share > 1]
    assert {limit.name.partition(":")[0] for limit in above if not limit.is_quota} == {
        "reducer",
        "stream",
    }


def test_quotas_are_to_be_raised_before_they_are_met():
    raised = {each["name"] for each in plan(Workload(50_000), PRICES)["quotas_to_raise"]}
    assert "Lambda: functions at once" in raised
    assert plan(Workload(500), PRICES)["quotas_to_raise"] == []


def test_more_shards_than_merchants_are_of_no_use():
    assert shards_for(Workload(50_000, merchants=3)) == 3
    assert shards_for(Workload(0.001)) == 1


def test_the_bill_adds_up_and_larger_batches_never_cost_more():
    load, slower = (
        Workload(12, batching=Batching(queue_window_s=window, stream_window_s=window))
        for window in (1, 60)
    )
    for billing in Billing:
        document = plan(load, PRICES)["bill"][billing.value]
        assert sum(document["items"].values()) == pytest.approx(document["per_million"], rel=0.01)
        costs = [
            sum(item.usd for item in bill(each, 1, batches(each, 1), Paying(billing), PRICES))
            for each in (load, slower)
        ]
        assert costs[1] < costs[0]


def test_units_provided_cost_less_than_units_on_demand_from_29_percent_of_use_on():
    of_hour = PRICES.per_hour["write_capacity"] / 3_600 * 1_000_000
    assert of_hour / PRICES.per_million["write_unit"] == pytest.approx(0.29, abs=0.005)
    prices = [unit_price(billing, TableClass.STANDARD, PRICES, writes=True) for billing in Billing]
    assert prices == [0.625, pytest.approx(of_hour / 0.7)]


def test_infrequent_access_is_cheaper_for_what_is_kept_longer_than_its_months():
    load = Workload(12)
    for each in classes(load, batches(load, 1), Billing.ON_DEMAND, PRICES):
        assert 0 < each.months < 12
    cheaper, dearer = (
        sum(each.usd for each in kept(load, Paying(Billing.ON_DEMAND, table, table), PRICES))
        for table in (TableClass.INFREQUENT, TableClass.STANDARD)
    )
    assert cheaper < 0.5 * dearer


def test_nothing_is_kept_for_no_years():
    assert plan(Workload(12, years=0), PRICES)["kept"]["usd_a_million"] == 0


def test_the_prices_say_of_when_and_where_they_are():
    assert (PRICES.region, PRICES.date) == ("us-east-1", "2025-03")
    assert "from memory" in PRICES.source
