"""A merchant's operations over the API: in pages, filtered, one by one, added up, and awaited."""

import pytest

from tests.e2e import observed
from tests.e2e.api_world import (
    MANY,
    NAMES,
    NOW,
    OWN,
    SHARED_BY,
    SHARED_ID,
    adjustment_id_of,
    adjustment_of,
    operation_of,
    payout_of,
    return_of,
    returned_of,
)
from tests.e2e.asking import Asker, story


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
def test_operations_are_paged_to_the_end_without_gaps_or_repeats(served, order):
    name = NAMES[0]
    with Asker(served.target, served.tokens[name]) as asker:
        path = f"merchants/m-{name}/operations?order={order}"
        pages = list(asker.pages(f"{path}&limit=7"))
        (whole,) = asker.pages(f"{path}&limit=200")
    listed = [each for page in pages for each in page["operations"]]
    assert listed == whole["operations"]
    logged = observed.log_objects(served.target)
    keys = [each["log_key"] for each in listed]
    assert sorted(keys) == sorted(key for key in logged if f"/merchant_id=m-{name}/" in key)
    assert len(keys) == 11 + MANY + 1
    counted_in = [each["counted_in"] for each in listed]
    assert counted_in == sorted(counted_in, reverse=order == "newest_first")
    assert [len(page["operations"]) for page in pages[:-1]] == [7] * (len(pages) - 1)


@pytest.mark.parametrize(
    ("query", "references"),
    [
        ("stage=adjustment", ["adj"]),
        ("type=refund", ["back"]),
        ("type=withdrawal_reversal", ["sent-back"]),
        ("stage=reconciled&psp_id=api-psp&order=oldest_first", None),
        ("psp_id=another", []),
    ],
)
def test_operations_are_filtered(asker, query, references):
    (page,) = asker.pages(f"merchants/m-{OWN}/operations?{query}")
    found = [each["external_reference"] for each in page["operations"]]
    if references is None:
        assert sorted(found) == [f"{OWN}-alone", f"{OWN}-cap-0", f"{OWN}-cap-1"]
    else:
        assert found == [f"{OWN}-{each}" for each in references]


def test_an_operations_story_has_its_stages_and_its_correction(served, asker):
    told = story(asker, f"m-{OWN}", operation_of(OWN))
    assert [each["stage"] for each in told["stages"]] == ["confirmed", "reconciled"]
    assert told["corrected_by"] == [adjustment_id_of(OWN)]
    assert [line["amount"] for line in told["stages"][0]["lines"]] == ["100.00", "-2.00"]
    months = [each["counted_in"][:7] for each in told["stages"]]
    assert months == [f"{each:%Y-%m}" for each in (served.months.first, served.months.last)]
    logged = observed.log_objects(served.target)
    assert {each["log_key"] for each in told["stages"]} <= set(logged)
    (correction,) = story(asker, f"m-{OWN}", adjustment_id_of(OWN))["stages"]
    assert correction["corrects"] == adjustment_of(OWN)["corrects"]


def test_a_payouts_story_has_its_block_and_its_return(asker):
    told = story(asker, f"m-{OWN}", payout_of(OWN))
    assert (told["blocks"][0]["status"], told["blocks"][0]["amount"]) == ("settled", "20.00")
    assert told["returned_by"] == [returned_of(OWN)]
    assert told["stages"][0]["state"] == "paid"
    back = story(asker, f"m-{OWN}", returned_of(OWN))
    assert (back["returns"], back["external_reference"]) == (
        payout_of(OWN),
        return_of(OWN)["payout_id"],
    )


def test_an_operation_of_several_merchants_shows_each_its_own_lines(served):
    amounts = {}
    for name in SHARED_BY:
        with Asker(served.target, served.tokens[name]) as asker:
            (stage,) = story(asker, f"m-{name}", SHARED_ID)["stages"]
        assert {line["balance_shop_id"] for line in stage["lines"]} == {f"bs-{name}"}
        amounts[name] = [line["amount"] for line in stage["lines"]]
    assert list(amounts.values()) == [["1.00"], ["12.00", "-0.24", "-1.00"], ["8.00", "-0.16"]]
    with Asker(served.target, served.tokens[OWN]) as asker:
        assert asker.ask(f"merchants/m-{OWN}/operations/{SHARED_ID}").status == 404


@pytest.mark.parametrize("more", ["", "&source=log"])
def test_turnover_adds_up_a_month_of_operation_dates(asker, more):
    said = asker.ask(f"merchants/m-{OWN}/turnover?month=2026-03{more}").document
    (euros,) = said["currencies"]
    sums = {(each["stage"], each["type"]): each["amount"] for each in euros["sums"]}
    assert sums == {
        ("confirmed", "capture"): "600.00",
        ("confirmed", "psp_fee"): "-12.00",
        ("confirmed", "refund"): "-10.00",
        ("reconciled", "capture"): "340.00",
        ("reconciled", "psp_fee"): "-6.80",
        ("payout", "withdrawal"): "-50.00",
        ("payout", "withdrawal_reversal"): "20.00",
        ("adjustment", "adjustment"): "5.00",
    }
    assert euros["operations_count"] == NOW["operations_count"]
    if more:
        assert (said["objects_read"], said["late_operations"]) == (11, None)
    else:  # all of it was counted months later
        assert euros["late_sums"] == euros["sums"]
        assert len(said["late_operations"]) == 11


def test_what_awaits_reconciliation_is_listed_with_its_standing(asker):
    path = f"merchants/m-{OWN}/unreconciled"
    pages = list(asker.pages(f"{path}?limit=1"))
    found = {
        each["external_reference"].removeprefix(f"{OWN}-"): each["standing"]
        for page in pages
        for each in page["operations"]
    }
    assert found == {
        "cap-1": "different",
        "cap-2": "confirmed_only",
        "back": "confirmed_only",
        "alone": "reconciled_only",
    }
    assert len(pages) == 4
    sums = {each["standing"]: (each["confirmed"], each["reconciled"]) for each in pages[0]["sums"]}
    assert sums == {
        "confirmed_only": ("284.00", "0.00"),
        "different": ("196.00", "186.20"),
        "reconciled_only": ("0.00", "49.00"),
    }
    (young,) = asker.pages(f"{path}?older_than_days=3650")
    assert young["operations"] == []
