"""A merchant's sales, findings and references, in memory and in DynamoDB alike."""

from typing import Any

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.findings import DynamoFindings
from falcon_balances.domain.findings import FindingKind
from falcon_balances.domain.known_findings import FindingStatus
from falcon_balances.domain.operations import OperationType
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.table_keys import ItemKey, merchant_pk
from inprocess.aws import BALANCES_TABLE
from tests.builders import Document, operation_id_of
from tests.component.ports.conftest import MOTO
from tests.component.ports.tables import at, capture, reconciliation

SALE = SaleKey("m-1", "payu-ro", "order-1")


def of_sale(kind: str, number: int, amount: str, local: str = "a", **changes: Any) -> Document:
    said = {"type": kind, "external_reference": f"{kind}-{number}", "amount": amount}
    return capture(1, local, **said | {"original_reference": "order-1"} | changes)


def test_a_sale_says_what_was_taken_of_it_and_what_is_left(tables, reads):
    assert reads.sale(SALE) is None
    refund = of_sale("refund", 1, "60.00")
    tables.count("10:20:00", capture(), refund, of_sale("chargeback", 1, "10.00"))
    sale = reads.sale(SALE)
    assert sale is not None
    assert (sale.captures, sale.chargebacks, sale.reversals) == (1, 1, 0)
    figures = sale.currencies["EUR"]
    assert (figures.sold, figures.refunded, figures.charged_back) == (10000, 6000, 1000)
    assert sale.left("EUR") == figures.left == 3000
    assert reads.sale(SALE._replace(merchant_id="m-10")) == sale, "its own, whomever the key names"
    assert tables.reads("m-10").sale(SALE) is None
    assert reads.sale(SALE._replace(reference="order-10")) is None


def test_what_was_taken_of_a_sale_is_told_operation_by_operation(tables, reads):
    taken = [of_sale("refund", n, "1.00") for n in range(3)]
    other = of_sale("refund", 9, "1.00", original_reference="order-10")
    tables.count("10:20:00", capture(), capture(10), *taken, other)
    tables.count("10:40:00", of_sale("chargeback", 1, "2.00"), capture(1, "c"))
    found = reads.sale_operations(SALE.sale_id, 10)
    assert sorted(each.falcon_operation_id for each in found) == sorted(
        operation_id_of(each) for each in (*taken, of_sale("chargeback", 1, "2.00"))
    )
    by_type = {each.type: each.larger("EUR").amount for each in found}
    assert by_type == {OperationType.REFUND: 100, OperationType.CHARGEBACK: 200}
    assert [len(reads.sale_operations(SALE.sale_id, limit)) for limit in (1, 4, 5)] == [1, 4, 4]
    assert list(tables.reads("m-10").sale_operations(SALE.sale_id, 10)) == []


def test_findings_come_page_by_page_by_kind_and_operation(tables, reads):
    unknown = [of_sale("refund", n, "1.00", original_reference=f"lost-{n}") for n in range(4)]
    tables.count("10:20:00", capture(), reconciliation(amount="90.00"), *unknown)
    tables.count("10:20:00", capture(5, "c"), of_sale("refund", 7, "1.00", "c"))
    expected = [each.sk for each in reads.findings(None, 100)]
    assert len(expected) == 5
    assert expected == sorted(expected)
    for limit in (1, 2, 5):
        seen: list[str] = []
        while page := reads.findings(seen[-1] if seen else None, limit):
            assert len(page) <= limit
            seen += [each.sk for each in page]
        assert seen == expected
    [first, *_] = reads.findings(None, 1)
    assert (first.merchant_id, first.kind) == ("m-1", FindingKind.STAGES_CONTRADICT)
    assert first.figures == {"EUR": {"confirmed": 10000, "reconciled": 9000}}
    [theirs] = tables.reads("m-10").findings(None, 100)
    assert (theirs.merchant_id, theirs.kind) == ("m-10", FindingKind.UNKNOWN_SALE)


def test_what_fits_again_is_no_finding(tables, reads):
    tables.count("10:20:00", of_sale("refund", 1, "1.00"))
    assert [each.kind for each in reads.findings(None, 9)] == [FindingKind.UNKNOWN_SALE]
    tables.count("10:40:00", capture())
    assert list(reads.findings(None, 9)) == []


def test_operations_are_found_by_their_reference_and_by_their_sale_s(tables, reads):
    refund, other = of_sale("refund", 1, "1.00"), capture(10)
    tables.count("10:20:00", capture(), reconciliation(), refund, other, capture(1, "c"))
    both = [operation_id_of(capture()), operation_id_of(refund)]
    assert sorted(reads.referenced("order-1", 100)) == sorted(both)
    assert list(reads.referenced("refund-1", 100)) == both[1:]
    assert list(reads.referenced("order", 100)) == []
    assert len(reads.referenced("order-1", 1)) == 1
    theirs = tables.reads("m-10")
    assert list(theirs.referenced("order-1", 100)) == both[:1]
    assert list(theirs.referenced("refund-1", 100)) == []


@pytest.mark.parametrize("world", [MOTO], indirect=True)
def test_operators_see_the_findings_that_merchants_see_and_acknowledge_them_for_both(tables, reads):
    tables.count("10:20:00", of_sale("refund", 1, "1.00"), of_sale("refund", 2, "1.00", "c"))
    findings = DynamoFindings(client("dynamodb"), BALANCES_TABLE)
    [mine] = reads.findings(None, 9)
    [theirs] = tables.reads("m-10").findings(None, 9)
    assert sorted(findings.open(), key=lambda each: each.merchant_id) == [mine, theirs]
    key = ItemKey(merchant_pk("m-1"), mine.sk)
    assert findings.find(key) == mine
    assert findings.acknowledge(key, mine, "anna", "seen", at("11:00:00"))
    assert not findings.acknowledge(key, mine, "ben", "seen too", at("11:00:01"))
    assert list(findings.open()) == [theirs]
    [told] = findings.of("m-1")
    assert list(reads.findings(None, 9)) == [told]
    assert (told.status, told.acknowledged_by) == (FindingStatus.ACKNOWLEDGED, "anna")
    tables.count("10:40:00", capture())
    assert (list(findings.of("m-1")), findings.find(key)) == ([], None)
