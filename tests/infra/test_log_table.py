"""The log's tables: that they say of the log what its writer does."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

import pytest

from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_grammar import COLUMNS
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.operations import Stage
from generated.logs import segments

AUDIT = Path(__file__).parents[2] / "docs/audit.md"
BUCKET = "s3://log-<AccountId>-<Region>/"


def tables(assembly):
    """Those of the log."""
    return {
        name: each
        for name, each in every_table(assembly).items()
        if name.startswith("transaction_log")
    }


def every_table(assembly):
    found = assembly.properties("AWS::Glue::Table").values()
    return {each["TableInput"]["Name"]: each["TableInput"] for each in found}


@pytest.fixture
def by_merchant(assembly):
    return tables(assembly)["transaction_log"]


def test_the_database_is_named_as_the_environment(assembly):
    ((logical_id, database),) = assembly.properties("AWS::Glue::Database").items()
    assert database["DatabaseInput"]["Name"] == f"falcon_balances_{assembly.settings.name}"
    for each in assembly.properties("AWS::Glue::Table").values():
        assert assembly.text(each["DatabaseName"]) == logical_id


def test_the_tables_have_the_log_s_columns_as_texts(assembly):
    assert set(tables(assembly)) == {"transaction_log", "transaction_log_all"}
    for table in tables(assembly).values():
        columns = table["StorageDescriptor"]["Columns"]
        assert columns == [{"Name": name, "Type": "string"} for name in COLUMNS]


def test_the_tables_are_read_as_the_log_is_written(assembly):
    """One line of header, commas, no quotes; and the whole bucket, whose root the keys begin at."""
    header, row, *_ = csv_body(next(segments(1))).splitlines()
    assert header == ",".join(COLUMNS)
    assert '"' not in row
    for table in tables(assembly).values():
        assert table["TableType"] == "EXTERNAL_TABLE"
        assert table["Parameters"]["skip.header.line.count"] == "1"
        storage = table["StorageDescriptor"]
        assert assembly.text(storage["Location"]) == BUCKET
        assert storage["SerdeInfo"] == {
            "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
            "Parameters": {"field.delim": ",", "serialization.format": ","},
        }


def test_stages_are_listed_merchants_injected_and_dates_a_range(by_merchant):
    keys = by_merchant["PartitionKeys"]
    assert keys == [{"Name": n, "Type": "string"} for n in ("stage", "merchant_id", "date")]
    properties = {
        name.removeprefix("projection."): value
        for name, value in by_merchant["Parameters"].items()
        if name.startswith("projection.")
    }
    assert properties == {
        "enabled": "true",
        "stage.type": "enum",
        "stage.values": ",".join(Stage),
        "merchant_id.type": "injected",
        "date.type": "date",
        "date.format": "yyyy-MM-dd",
        "date.range": "2015-01-01,NOW+1DAY",
        "date.interval": "1",
        "date.interval.unit": "DAYS",
    }


def test_the_range_holds_what_is_a_quarter_of_an_hour_ahead(by_merchant):
    start, end = by_merchant["Parameters"]["projection.date.range"].split(",")
    now = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    last = now + timedelta(days=int(end.removeprefix("NOW+").removesuffix("DAY")))
    assert datetime.fromisoformat(start).date() < now.date()
    assert (now + timedelta(minutes=15)).date() <= last.date()


def test_keys_of_the_log_lie_where_the_table_looks(assembly, by_merchant):
    template = assembly.text(by_merchant["Parameters"]["storage.location.template"])
    looked_into = set()
    for segment in segments(20):
        found = {
            "stage": segment.stage,
            "merchant_id": segment.merchant_id,
            "date": segment.booked_at.strftime("%Y-%m-%d"),
        }
        place = Template(template).substitute(found)
        folder, _, name = log_key(segment).rpartition("/")
        assert (place, "/" in name) == (f"{BUCKET}{folder}/", False)
        looked_into.add(place)
    assert len(looked_into) > 20


def test_the_table_of_everybody_has_no_partitions_that_could_hide_something(assembly):
    table = tables(assembly)["transaction_log_all"]
    assert table.get("PartitionKeys", []) == []
    assert not any(name.startswith("projection") for name in table["Parameters"])


def test_the_documented_queries_ask_tables_that_there_are(assemblies):
    asked = re.findall(r"from (\w+)\.(\w+)$", AUDIT.read_text(), re.MULTILINE)
    assert sorted(asked) == [
        ("falcon_balances_live", name) for name in sorted(tables(assemblies["live"]))
    ]
