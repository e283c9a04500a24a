"""What only DynamoDB does when a merchant is read: conflicts, errors, pages."""

from datetime import timedelta
from threading import Barrier

import pytest
from moto.dynamodb.models import table as moto_table

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.listed_marks import ListedMarks
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.ports import WantedMarks
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import QUARTER
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.domain.merged_marks import PARTITIONS, index_partitions
from falcon_balances.domain.operation_filter import OperationFilter
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import BalanceKey, ItemKey
from falcon_balances.domain.table_writes import AddCounters
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE
from lambdas.reducer.records import StreamRecord
from tests.builders import (
    claim_of,
    data_of,
    operation_id_of,
    records_of,
)
from tests.component.ports.merchant_items import (
    EARLIEST,
    LATEST,
    UNKNOWN,
    correction,
    everything,
    walk,
)
from tests.component.ports.tables import (
    BS_1,
    BS_10,
    CONTEXTS,
    Tables,
    at,
    capture,
    reconciliation,
)
from tests.component.spying import asked_of_aws
from tests.component.world import utc


@pytest.fixture
def on_aws(aws) -> Tables:
    dynamodb = client("dynamodb")
    return Tables(
        DynamoBalanceStore(dynamodb, BALANCES_TABLE),
        DynamoEventClaims(dynamodb, CLAIMS_TABLE),
        lambda merchant_id: DynamoMerchantReads(
            dynamodb, BALANCES_TABLE, CLAIMS_TABLE, merchant_id
        ),
        DynamoClosings(dynamodb, BALANCES_TABLE),
    )


def test_reads_are_strongly_consistent_but_those_of_the_index(on_aws):
    """Asked of the requests: moto is consistent anyhow."""
    asked: list[dict[str, object]] = []

    def note(params: dict[str, object], **_: object) -> None:
        asked.append(dict(params))

    event = "provide-client-params.dynamodb.*"
    client("dynamodb").meta.events.register(event, note)
    try:
        reads = on_aws.reads("m-1")
        reads.as_of()
        reads.indexed_as_of(at("10:20:00"))
        everything(reads, [UNKNOWN], "block")
    finally:
        client("dynamodb").meta.events.unregister(event, note)
    plain = [each for each in asked if "TransactItems" not in each]
    assert len(plain) > 10
    assert {("IndexName" in each, each.get("ConsistentRead", False)) for each in plain} == {
        (False, True),
        (True, False),
    }


@pytest.fixture
def small_pages(on_aws, monkeypatch) -> None:
    """DynamoDB ends a page at 1 MB, moto now at 3 KB: two or three of our items."""
    monkeypatch.setattr(moto_table, "RESULT_SIZE_LIMIT", 3_000)


def test_what_is_longer_than_a_page_is_read_to_its_end(on_aws, small_pages):
    documents = [capture(n, "ab"[n % 2], operation_date=day(n)) for n in range(15)]
    first = utc("2026-12-01T00:00:00")
    corrected = operation_id_of(documents[0])
    corrections = [correction(str(n), corrected, day(15 + n)) for n in range(15)]
    records = [record for each in documents for record in records_of(claim_of(each, *CONTEXTS))]
    on_aws.reduce(
        *(
            StreamRecord(data_of(record), first + n * QUARTER)
            for n, record in enumerate(records + corrections)
        )
    )
    reads = on_aws.reads("m-1")
    windows = [
        each for key in (BS_1, BS_10) for each in reads.windows(key, first, first + 30 * QUARTER)
    ]
    assert sorted(each.start for each in windows) == [first + n * QUARTER for n in range(30)]
    days = reads.days("2026-11-01", "2026-11-30")
    assert [each.date for each in days] == [day(n)[:10] for n in range(30)]
    assert [len(reads.late("2026-11", limit)) for limit in (1, 7, 29, 30, 100)] == [
        1,
        7,
        29,
        30,
        30,
    ]
    assert len(reads.corrections(corrected)) == 15
    assert [len(reads.open_standings(limit)) for limit in (1, 14, 15, 16)] == [1, 14, 15, 15]
    for newest_first in (False, True):
        pages = list(walk(reads, EARLIEST, LATEST, newest_first=newest_first, limit=50))
        found = [mark.order for page in pages for mark in page]
        assert found == sorted(found, reverse=newest_first)
        assert len(set(found)) == len(found) == 30
        assert len(pages) == 1, "a query that ended before its limit was continued"


def day(n: int) -> str:
    return f"2026-11-{n + 1:02}T10:00:00Z"


def test_many_balances_are_read_to_their_end(on_aws, small_pages):
    keys = [ItemKey("MERCHANT#m-1", f"BALANCE#bs-{n:03}#EUR") for n in range(60)]
    on_aws.store.transact([AddCounters(key, {"confirmed": 1}) for key in keys])
    found = sorted(each.balance_shop_id for each in on_aws.reads("m-1").balances())
    assert found == [f"bs-{n:03}" for n in range(60)]


def test_sixteen_balances_are_read_at_once(on_aws):
    balances = [BalanceKey(f"bs-{n}", "EUR") for n in range(32)]
    together = Barrier(16, timeout=10)  # breaks if fewer come
    on_aws.reads("m-1").of_each(balances, lambda _: together.wait())


def test_all_stages_of_an_operation_are_read_over_pages(on_aws, monkeypatch):
    on_aws.count("10:20:00", capture(), reconciliation())
    monkeypatch.setattr(moto_table, "RESULT_SIZE_LIMIT", 1_000)
    marks = on_aws.reads("m-1").marks_of(operation_id_of(capture()))
    assert {mark.stage for mark in marks} == {Stage.CONFIRMED, Stage.RECONCILED}


def test_a_page_takes_a_query_for_each_partition_and_a_call_for_a_hundred_marks(on_aws):
    on_aws.count("10:20:00", *(capture(n) for n in range(203)))
    reads = on_aws.reads("m-1")
    for newest_first in (False, True):
        for limit, reading, rest in ((51, 1, 152), (100, 1, 103), (200, 2, 3), (201, 3, 2)):
            with asked_of_aws() as asked:
                page = reads.marks(
                    EARLIEST, LATEST, after=None, newest_first=newest_first, limit=limit
                )
            assert asked.calls.count("dynamodb:Query") == PARTITIONS
            assert asked.calls.count("dynamodb:BatchGetItem") == reading
            assert (len(page.marks), page.is_last) == (limit, False)
            after = page.marks[-1].order
            page = reads.marks(EARLIEST, LATEST, after=after, newest_first=newest_first, limit=rest)
            assert (len(page.marks), page.is_last) == (rest, True)


def test_a_list_of_which_few_have_the_codes_takes_a_query_for_each_partition(on_aws):
    on_aws.count("10:20:00", *(capture(n) for n in range(120)), reconciliation(7))
    reads = on_aws.reads("m-1")
    for wanted, found, reading in (
        (OperationFilter(type="refund"), 0, 0),
        (OperationFilter(stage="reconciled"), 1, 1),
        (OperationFilter(type="capture"), 110, 2),
    ):
        start, end = wanted.bounds
        asked_for = WantedMarks(start, end, None, newest_first=True, limit=110, look_at=3_000)
        with asked_of_aws() as asked:
            page = reads.tagged(wanted.tags, asked_for)
        assert len(page.marks) == found
        assert asked.calls.count("dynamodb:Query") == PARTITIONS
        assert asked.calls.count("dynamodb:BatchGetItem") == reading


def test_both_partitions_of_the_index_have_marks_and_none_of_another_merchant(on_aws):
    on_aws.count("10:20:00", *(capture(n) for n in range(40)))
    partitions = {
        item["spread"]["S"]
        for item in client("dynamodb").scan(TableName=BALANCES_TABLE, IndexName="by-window")[
            "Items"
        ]
    }
    assert partitions == set(index_partitions("m-1"))


def test_an_entry_of_the_index_without_its_mark_is_an_error(on_aws):
    on_aws.count("10:20:00", capture())
    sk = f"OPERATION#{operation_id_of(capture())}#confirmed"
    reads = on_aws.reads("m-1")
    order = reads.marks(EARLIEST, LATEST, after=None, newest_first=False, limit=1).marks[0].order
    client("dynamodb").delete_item(
        TableName=BALANCES_TABLE, Key={"pk": {"S": "MERCHANT#m-1"}, "sk": {"S": sk}}
    )
    assert not reads.marks(EARLIEST, LATEST, after=None, newest_first=False, limit=1).marks
    with pytest.raises(IntegrityError, match="in the index, but not in the table"):
        ListedMarks(client("dynamodb"), BALANCES_TABLE, "m-1").with_orders([order])


def test_a_shard_that_stands_still_for_hours_does_not_hide_how_far_the_index_is(on_aws):
    """The other shards meet a cut every minute, and none of these is ever completed."""
    first, reads = at("10:15:00"), on_aws.reads("m-1")
    on_aws.store.complete_cut(first, first)
    for n in range(1, 61):
        on_aws.store.meet_cut(
            Cut(first + timedelta(minutes=n), ("shard-a", "shard-b")), "shard-a", BEGINNING
        )
    assert reads.indexed_as_of(first + timedelta(hours=1)) == first
