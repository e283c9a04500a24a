"""The reducer with many balances, segments or merchants in one batch."""

from collections import Counter
from collections.abc import Sequence

from falcon_balances.domain.table_writes import TableWrite
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from lambdas.reducer import handler as reducer
from tests.builders import (
    claim_of,
    confirmed,
    context_of,
    data_of,
    marketplace,
    operation_id_of,
    record_of,
    records_of,
)
from tests.component.disturbed import DisturbedDynamo
from tests.component.reducing import ONCE, disturb, segment


def test_a_merchant_with_forty_balance_shops_in_one_event_is_counted_whole_and_once(aws):
    sellers = [context_of(str(n), merchant_id="m-5553") for n in range(40)]
    event = marketplace([(str(n), "10.00", "1.00") for n in range(40)], "400.00")
    records = records_of(claim_of(event, context_of("market"), *sellers))
    for _ in range(2):
        aws.reduce(*(data_of(record) for record in records), segment(7))
    balances = aws.items("BALANCE")
    assert len(balances) == 41
    own = balances.pop("BALANCE#bs-5553-eur#EUR")
    assert own == ONCE
    assert all(
        counters == {"confirmed": 900, "pending": 900, "operations_count": 2}
        for counters in balances.values()
    )
    marks = [sk for sk in aws.items("OPERATION") if operation_id_of(event) in sk]
    assert [sk.partition("#confirmed")[2] for sk in sorted(marks)] == ["", "#1"]
    assert aws.items("BALANCE", "m-market") == {
        "BALANCE#bs-market-eur#EUR": {"confirmed": 4000, "pending": 4000, "operations_count": 40}
    }
    assert aws.quarantined() == []


def test_a_refused_segment_of_forty_balance_shops_counts_in_none_of_its_parts(aws):
    """Its later parts have no counterpart in what was counted: they must go with the first."""
    sellers = [context_of(str(n), merchant_id="m-5553") for n in range(40)]
    event = marketplace([(str(n), "10.00", None) for n in range(40)], "400.00")
    [record] = records_of(claim_of(event, context_of("market"), *sellers))
    aws.reduce(data_of(record_of(confirmed(amount="400.00"))))
    before = aws.items("BALANCE")
    aws.reduce(data_of(record))
    assert [refused.code for refused in aws.quarantined()] == ["E_RECORD"]
    assert aws.items("BALANCE") == before


def test_a_hot_merchant_s_thousand_segments_are_counted_in_few_transactions(aws, monkeypatch):
    """On the fake store, which does as DynamoDB does: moto would take ten seconds for it."""
    store = MemoryBalanceStore()
    sizes: list[int] = []

    def conflicts(writes: Sequence[TableWrite]) -> Sequence[int]:
        sizes.append(len(writes))
        return ()

    monkeypatch.setattr(reducer, "DynamoBalanceStore", lambda *_: store)
    monkeypatch.setattr(store, "conflicts", conflicts)
    reducer._world.cache_clear()
    aws.reduce(*(segment(n) for n in range(1000)))
    [balance] = store.balances("m-5553")
    assert (balance.confirmed, balance.pending, balance.operations_count) == (10**7, 10**7, 1000)
    # A mark, a standing and a sale for each segment, and the balance's three items: 32 fit.
    assert sizes == [3 * 32 + 3] * 31 + [3 * 8 + 3]
    kinds = Counter(key.sk.split("#")[0] for key in store.marks)
    assert kinds == {"OPERATION": 1000, "STANDING": 1000}


def test_many_merchants_share_transactions_and_none_gets_another_s_money(aws, monkeypatch):
    dynamodb = disturb(monkeypatch, DisturbedDynamo())
    names = [str(n) for n in range(50)]
    records = [
        record_of(
            confirmed(
                external_reference=f"{name}-{n}", local_merchant_id=name, shop_id=f"shop-{name}"
            ),
            context_of(name),
        )
        for n in range(2)
        for name in names
    ]
    aws.reduce(*(data_of(record) for record in records))
    assert {aws.balance(name)["confirmed"] for name in names} == {20000}
    # Nine items for the two segments of a merchant: two marks, two standings, two sales, and three
    # shared.
    assert dynamodb.sizes == [99, 99, 99, 99, 54]
