"""Pages of operations that were revised: a page may end at a revision."""

import pytest

from tests.builders import confirmed
from tests.component.api_calls import pages


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
def test_a_page_that_ends_at_a_revision_has_a_next_one(ledger, order):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    revised = {"revision": 2, "revised_at": "2026-11-20T10:19:00Z", "amount": "80.00"}
    ledger.at("2026-11-20T10:20:00").count(confirmed(**revised))
    ledger.at("2026-11-20T10:35:00").count(confirmed(external_reference="later"))
    told = [
        (each["external_reference"], each.get("revision", 1))
        for body in pages("/operations", {"limit": 1, "order": order})
        for each in body["operations"]
    ]
    counted = [("order-1", 1), ("order-1", 2), ("later", 1)]
    assert told == (counted if order == "oldest_first" else counted[::-1])
