"""The journal in the embedded AWS: what was counted is there, as it was counted."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from falcon_balances.adapters.athena import AthenaQueries
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.audit.athena_replay import replay_by_athena
from falcon_balances.audit.closed_days import described
from falcon_balances.audit.closed_replay import replay_closed
from falcon_balances.audit.log_objects import Selection
from falcon_balances.contracts.closed_day_query import ROW_COLUMNS, closed_day
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.instants import QUARTER
from falcon_balances.domain.journal import JournalEntry
from falcon_balances.domain.log_keys import LogKey
from falcon_balances.domain.operations import staged
from tests.e2e import observed
from tests.e2e.auditing import Auditor
from tests.e2e.events import confirmed, context, jsonl

PSP = "journal-psp"
JOURNAL_TABLE = "journal"
RESULTS = "athena-results"
# The embedded Athena takes the text for an instant, and shows it in the machine's zone.
UTC_DAY = 'cast(make_timestamp(cast(epoch("window") as bigint) * 1000000)::date as varchar)'


@pytest.fixture(scope="module")
def bucket(stack, falcon, tmp_path_factory):
    """The bucket, when events of two merchants are counted and a cut has passed behind them."""
    file = jsonl(
        tmp_path_factory.mktemp("journal") / "merchants.jsonl",
        [context(PSP, "journal-a"), context(PSP, "journal-b")],
    )
    assert falcon("merchants", "load", file).returncode == 0
    for name in ("journal-a", "journal-b"):
        event = confirmed(PSP, f"journaled-{name}", name, "100.00")
        observed.send(stack, "confirmed", [json.dumps(event)] * 2)
    observed.drain(stack)
    observed.pass_a_cut(stack)
    return observed.journal_bucket(stack)


@pytest.fixture(scope="module")
def entries(stack, bucket) -> list[JournalEntry]:
    """All entries up to the newest complete cut, those of its open quarter too."""
    store = DynamoBalanceStore(stack.client("dynamodb"), stack.balances_table)
    as_of = store.as_of()
    assert as_of is not None
    closed = ClosedJournal(S3Journal(stack.client("s3"), bucket), store.ends(as_of), {})
    return list(closed.entries(None, closed_until(as_of) + 2 * QUARTER))


def test_what_is_counted_is_in_the_journal_as_its_mark_says(stack, entries):
    store = DynamoBalanceStore(stack.client("dynamodb"), stack.balances_table)
    ours = [each for each in entries if "journaled-journal" in each.body]
    assert len(ours) == 2, "each once, although each came twice"
    for each in ours:
        key = LogKey.parse(each.log_key)
        named = (key.falcon_operation_id, staged(key.stage, key.revision))
        mark = store.mark(key.merchant_id, *named)
        assert MarkKey(*named).sk.startswith("OPERATION#")
        assert mark["window"] == each.window.isoformat()[:19] + "Z"
        assert mark["effect"].endswith("#0#0#0#0")
        assert len(each.effect) == 1


def test_every_entry_names_the_bytes_and_the_version_of_its_log_object(stack, entries):
    s3 = stack.client("s3")
    for each in entries:
        if "journaled-journal" in each.body:
            found = s3.get_object(
                Bucket=stack.log_bucket, Key=each.log_key, VersionId=each.version_id
            )
            assert found["Body"].read() == each.body.encode()
            [version] = s3.list_object_versions(Bucket=stack.log_bucket, Prefix=each.log_key)[
                "Versions"
            ]
            assert version["VersionId"] == each.version_id


@pytest.fixture(scope="module")
def closed(local_stack, bucket, tmp_path_factory) -> Path:
    assert local_stack.target.journal_bucket == bucket
    return Auditor(local_stack, tmp_path_factory.mktemp("closed-days")).close_days()


def test_a_fetched_journal_closes_to_what_the_log_says(local_stack, closed):
    auditor = Auditor(local_stack, closed.parent)
    days = ("--log", closed, "--from", "closed")
    assert auditor.ask("compare", *days) == auditor.ask("compare", "--from", "log")
    assert auditor.ask("compare", *days, "--merchant", "m-journal-a")["differences"] == []
    for name in ("m-journal-a", "m-journal-b"):
        options = ("--balances", "--merchant", name)
        log = auditor.ask("replay", "--log", auditor.log, *options)
        said = auditor.ask("replay", "--log", closed, *options)
        assert said["balances"] == log["balances"]
        assert [each["confirmed"] for each in said["balances"]] == ["100.00"]


@pytest.fixture(scope="module")
def athena(stack) -> AthenaQueries:
    """The embedded Athena, in a workgroup that says where results go."""
    location = {"LocationConstraint": stack.region}
    stack.client("s3").create_bucket(Bucket=RESULTS, CreateBucketConfiguration=location)
    stack.client("athena").create_work_group(
        Name="auditors",
        Configuration={"ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/results/"}},
    )
    return AthenaQueries(stack.client("athena"), "auditors")


def test_athena_adds_up_closed_days_as_the_local_engine_does(stack, athena, closed):
    """`local` has no table of closed days; this one is as the template's, without its lists."""
    for path in closed.glob("*/*.parquet"):
        key = path.relative_to(closed.parent).as_posix()
        stack.client("s3").put_object(Bucket=RESULTS, Key=key, Body=path.read_bytes())
    stack.client("glue").create_table(
        DatabaseName="falcon_balances_local",
        TableInput={
            "Name": "closed_days_here",
            "PartitionKeys": [{"Name": "date", "Type": "string"}],
            "StorageDescriptor": {
                "Columns": [{"Name": name, "Type": "string"} for name in ROW_COLUMNS],
                "Location": f"s3://{RESULTS}/closed/",
                "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            },
        },
    )
    days = [day.said for day in described(closed)]
    for selection in (Selection(), Selection(merchant_id="m-journal-a")):
        table = "falcon_balances_local.closed_days_here"
        said = replay_by_athena(athena, table, days, selection)
        assert said == replay_closed(closed, selection)
        assert said.lines


def test_where_no_days_are_closed_athena_is_not_asked(falcon):
    said = falcon("audit", "replay", "--engine", "athena")
    assert said.returncode == 1
    assert "environment local has no closed days" in said.stderr
    said = falcon("audit", "replay", "--engine", "athena", "--from", "log")
    assert said.returncode == 1
    assert "leave out --log and --from log" in said.stderr


def test_athena_reads_the_journal_s_table_and_makes_the_rows_of_a_day(athena, entries):
    """The embedded Athena has neither to_utf8 nor "$path"; everything else of the SELECT runs."""
    day = max(each.window for each in entries).date()
    query = closed_day(f"falcon_balances_local.{JOURNAL_TABLE}", day)
    for ours, theirs in (
        ("lower(to_hex(sha256(to_utf8(body))))", "sha256(body)"),
        (', "$path")', ", log_key)"),
        ('substr("window", 1, 10)', UTC_DAY),
    ):
        assert ours in query
        query = query.replace(ours, theirs)
    found = [dict(zip(ROW_COLUMNS, row, strict=True)) for row in athena(query)]
    rows = {(row["log_key"], row["line"]): row for row in found}
    expected = {
        (each.log_key, str(number)): each
        for each in entries
        if each.window.date() == day
        for number in range(1, each.body.count("\n"))
    }
    assert rows.keys() == expected.keys()
    for key, row in rows.items():
        said = expected[key]
        assert (row["sha256"], row["version_id"]) == (said.sha256, said.version_id)
        assert row["merchant_id"] == LogKey.parse(said.log_key).merchant_id
        uuid, _, amount, *_ = said.body.splitlines()[int(row["line"])].split(",")
        assert (row["uuid"], Decimal(row["amount"])) == (uuid, Decimal(amount))
