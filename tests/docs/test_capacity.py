"""The figures of docs/capacity.md are those that `falcon capacity` prints."""

import re
from functools import cache
from typing import Any, Final

import pytest

from falcon_balances.capacity.limits import MET_BYTES
from falcon_balances.capacity.planning import plan
from falcon_balances.capacity.prices import list_prices
from falcon_balances.capacity.workload import Batching, Workload
from tests.docs.pages import pages

PAGE: Final = "docs/capacity.md"
LOADS: Final = ((12, 100), (500, 100), (500, 1), (5_000, 100), (50_000, 100))
WAYS: Final = ("on demand", "provisioned")


@cache
def planned(per_second: float, merchants: int = 100, zipf: float = 0.0) -> dict[str, Any]:
    return plan(Workload(per_second, merchants, zipf), list_prices())


def count(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:g}"


def usd(value: float) -> str:
    return f"{value:.2f}"


def percent(share: float) -> str:
    return f"{100 * share:,.3g} %" if share < 10 else f"{100 * share:,.0f} %"


def loads() -> list[list[str]]:
    rows = []
    for per_second, merchants in LOADS:
        document = planned(per_second, merchants)
        needs, bill = document["needs"], document["bill"]
        names = ("balances", "indexes", "claims")
        rows.append(
            [
                count(per_second),
                count(merchants),
                count(needs["shards"]),
                count(needs["functions_at_once"]),
                *(count(needs[f"{name}_write_units_s"]) for name in names),
                *(usd(bill[way]["per_million"]) for way in WAYS),
                count(bill["on demand"]["per_month"]),
            ]
        )
    return rows


def first_limits() -> list[list[str]]:
    rows = []
    for per_second, merchants in LOADS:
        document = planned(per_second, merchants)
        first = document["first_limit"]
        raised = [each["name"] for each in document["quotas_to_raise"]]
        rows.append(
            [
                count(per_second),
                count(merchants),
                first["name"],
                percent(first["share"]),
                "; ".join(raised),
            ]
        )
    return rows


def of_one_merchant() -> list[list[str]]:
    return [
        [
            each["name"],
            f"{count(each['needed'])} {each['unit']}",
            count(each["at_most"]),
            percent(each["share"]),
        ]
        for each in planned(500, 1)["limits"]
        if not each["can_be_raised"] and "cut" not in each["name"]
    ]


def bills() -> list[list[str]]:
    ways = [planned(n)["bill"][way] for n in (12, 500, 50_000) for way in WAYS]
    rows = [[name, *(usd(way["items"][name]) for way in ways)] for name in ways[0]["items"]]
    return [*rows, ["all", *(usd(way["per_million"]) for way in ways)]]


def kept() -> list[list[str]]:
    return [
        [
            each["name"],
            f"{each['bytes_a_message']:.0f}",
            usd(each["usd_a_million"]),
            usd(each["backup_usd_a_million"]),
        ]
        for each in planned(12)["kept"]["items"]
    ]


TABLES: Final = {
    "| a second | merchants | shards": loads,
    "| a second | merchants | first limit": first_limits,
    "| limit | needed": of_one_merchant,
    "| | 12/s, on demand": bills,
    "| | bytes a message": kept,
}


@pytest.mark.parametrize("header", TABLES)
def test_a_table_of_the_page_has_the_figures_of_the_command(header):
    _, found, rest = pages()[PAGE].partition(header)
    assert found
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows == TABLES[header]()


def test_the_figures_in_the_text_are_those_of_the_command():
    text = pages()[PAGE]
    many, falling = planned(50_000, 100_000), planned(50_000, 100_000, 1)
    units = [each["needs"]["write_units_a_message"] for each in (many, planned(50_000))]
    stored = planned(12)["kept"]
    items = {each["name"]: each for each in stored["items"]}
    backup = sum(items[name]["backup_usd_a_million"] for name in ("claims", "marks"))
    of_marks = usd(stored["marks_and_claims_usd_a_million"])
    classes = [each for each in planned(12)["table_classes"] if each["billing"] == "on demand"]
    [of_cut] = [each for each in planned(50_000)["limits"] if "cut" in each["name"]]
    said = [
        f"the item take {of_cut['needed']:,.0f} units if all shards meet",
        f"every shard adds {MET_BYTES} bytes once a minute",
        f"take {units[0]:.2f} units a message instead of {units[1]:.2f}",
        f"cost {usd(many['bill']['on demand']['per_million'])} a million on demand",
        f"merchant has {falling['load']['hottest_per_second']:,.0f} a second, and does not fit",
        f"In all {usd(stored['usd_a_million'])}, of which marks and claims cost {of_marks}",
        f"{usd(backup)} are for their backup",
        f"ten years are {stored['bytes'] / 1e9:,.0f} GB",
        "dearer, by {} for claims and {} for balances".format(
            *(usd(each["infrequent_access_dearer_usd"]) for each in classes)
        ),
        "cheaper, by {} and {} a month".format(
            *(usd(each["infrequent_access_cheaper_usd_a_month"]) for each in classes)
        ),
        "after {:.1f} months for claims, and after {:.1f} months for balances".format(
            *(each["cheaper_after_months"] for each in classes)
        ),
    ]
    for words in said:
        assert words in text, words


def test_the_cost_of_other_windows_is_that_of_the_command():
    said = r"costs ([\d.]+); with 2 s and 1 s, ([\d.]+); with 20 s and 30 s, ([\d.]+)\."
    found = re.search(said, pages()[PAGE])
    assert found
    windows = ((5, 10), (2, 1), (20, 30))
    assert list(found.groups()) == [
        usd(
            plan(
                Workload(12, batching=Batching(queue_window_s=queue, stream_window_s=stream)),
                list_prices(),
            )["bill"]["on demand"]["per_million"]
        )
        for queue, stream in windows
    ]
