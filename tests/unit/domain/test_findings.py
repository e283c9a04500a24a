"""What a person should look at: from the figures that hold now, kind by kind."""

import pytest

from falcon_balances.domain.findings import FindingKind, figures_of, findings_of_sale
from falcon_balances.domain.known_findings import (
    finding_id,
    finding_key,
    finding_partition,
    finding_partitions,
)
from falcon_balances.domain.operations import Stage
from tests.unit.domain.test_sales import SALE, SOLD, counted, staged

R = Stage.RECONCILED
LOST = staged("chargeback", 100, name="lost")
WON = staged("chargeback_reversal", 100, name="won")
WON_TOO = staged("chargeback_reversal", 100, R, "won")


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [
        ([], []),
        ([SOLD], []),
        ([SOLD, staged("refund", 100, commission=10)], []),
        ([SOLD, staged("refund", 60), staged("refund", 60, name="2")], ["refunded_above_sale"]),
        ([SOLD, staged("refund", 60), staged("refund", 101, R)], ["refunded_above_sale"]),
        ([SOLD, staged("refund", 10, currency="USD")], ["other_currency"]),
        ([staged("refund", 10)], ["unknown_sale"]),
        ([staged("capture", 100, R, "sale"), staged("refund", 10)], ["unknown_sale"]),
        (
            [SOLD, staged("refund", 100), LOST],
            ["refunded_above_sale", "refunded_and_charged_back"],
        ),
        (
            [SOLD, staged("refund", 10), staged("chargeback", 90, name="2")],
            ["refunded_and_charged_back"],
        ),
        ([SOLD, WON], ["reversal_without_chargeback"]),
        ([SOLD, LOST, WON], []),
        ([SOLD, LOST, WON, WON_TOO], []),
        ([SOLD, staged("refund", 50, commission=11)], ["commission_above_taken"]),
        ([SOLD, staged("refund", 50, commission=10)], []),
        (
            [SOLD, LOST, WON, WON_TOO, staged("chargeback", 100, name="again")],
            ["dispute_repeated"],
        ),
        (
            [SOLD, staged("capture", -100, name="sale", operations=0), staged("refund", 1)],
            ["refunded_above_sale"],
        ),
        ([SOLD, staged("refund", 200), staged("refund", -200, operations=0)], []),
    ],
)
def test_what_is_found_in_a_sale_whatever_the_order(parts, kinds):
    for order in (parts, [*reversed(parts)]):
        found = findings_of_sale(counted(*order))
        assert [each.kind for each in found] == kinds
        assert {each.subject for each in found} <= {SALE.sale_id}


def test_a_finding_says_its_figures_and_they_read_back():
    [found] = findings_of_sale(counted(SOLD, staged("refund", 150)))
    assert found.figures["EUR"]["sold"] == 100
    assert found.figures["EUR"]["refunded"] == 150
    assert figures_of(found.text) == found.figures
    assert figures_of("") == {}


def test_other_amounts_are_another_finding():
    texts = [findings_of_sale(counted(SOLD, staged("refund", n)))[0].text for n in (150, 151, 150)]
    assert texts[0] == texts[2] != texts[1]


def test_a_finding_is_found_by_its_id_whatever_its_merchant_is_called():
    identity = finding_id("m:1.a", FindingKind.UNKNOWN_SALE, "abc-1")
    assert finding_key(identity) == ("MERCHANT#m:1.a", "FINDING#unknown_sale#abc-1")
    for wrong in ("m-1", "m-1:no_kind:abc", "", "a:b", ":unknown_sale:abc", "m:unknown_sale:"):
        assert finding_key(wrong) is None


def test_every_finding_is_in_one_of_the_partitions_that_are_looked_through():
    assert {finding_partition(f"m-{n}") for n in range(200)} == set(finding_partitions())
