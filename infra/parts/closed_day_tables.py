"""The journal and the closed days as SQL tables, beside those of the log."""

from aws_cdk import aws_glue as glue
from constructs import Construct

from infra.parts.derived_bucket import DerivedBucket
from infra.parts.locked_bucket import LockedBucket
from infra.parts.log_table import COLUMNS
from infra.parts.sql_table import JSON_SERDE, LISTED, PARQUET, PARQUET_SERDE, TEXTS, sql_table

# Of a page's lines below its head; on the head's line all of them are null.
PAGE_COLUMNS = ("window", "effect", "log_key", "version_id", "body")
_EFFECTS = ("pending", "unapplied", "debits_unconfirmed", "debits_untraced", "available")
ROW_TYPES = {
    "quarter": "string",
    "merchant_id": "string",
    "stage": "string",
    "revision": "smallint",
    "part": "smallint",
    "parts": "smallint",
    "line": "smallint",
    **dict.fromkeys(COLUMNS, "string"),
    **dict.fromkeys(_EFFECTS, "decimal(38,0)"),
    "log_key": "string",
    "version_id": "string",
    "sha256": "string",
} | {"amount": "decimal(23,4)"}
# Nothing was counted before the first deployment.
DAYS = "2026-01-01,NOW"
_OF_A_RUN = {
    "projection.enabled": "true",
    "projection.date.type": "injected",
    "projection.run.type": "injected",
}


class JournalTable(Construct):
    """`journal`: every entry of every page, those of interrupted attempts included. A query reads
    the whole journal, whatever it asks.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        database: glue.CfnDatabase,
        journal_bucket: LockedBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        sql_table(
            self,
            "All",
            database=database,
            name="journal",
            description="All pages, also those that no shard's position leads to; repeats included",
            columns=dict.fromkeys(PAGE_COLUMNS, "string"),
            location=f"s3://{journal_bucket.bucket_name}/journal/",
            input_format=TEXTS,
            serde=JSON_SERDE,
            serde_parameters={},
            parameters={"classification": "json"},
        )


class ClosedDayTables(Construct):
    """`closed_days`: what is published. The other two are for the machine that makes a day: the
    pages that one run reads, and the rows that it wrote.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        database: glue.CfnDatabase,
        closed_bucket: DerivedBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        root = f"s3://{closed_bucket.bucket_name}/"
        sql_table(
            self,
            "Published",
            database=database,
            name="closed_days",
            description="A row for each line, by the UTC day on which it was counted",
            columns=ROW_TYPES,
            location=f"{root}published/",
            input_format=LISTED,
            serde=PARQUET_SERDE,
            serde_parameters={"serialization.format": "1"},
            partition_keys=["date"],
            parameters={
                "classification": "parquet",
                "projection.enabled": "true",
                "projection.date.type": "date",
                "projection.date.format": "yyyy-MM-dd",
                "projection.date.range": DAYS,
                "projection.date.interval": "1",
                "projection.date.interval.unit": "DAYS",
                "storage.location.template": root + "published/date=${date}/",
            },
        )
        sql_table(
            self,
            "Pages",
            database=database,
            name="journal_pages_of_a_run",
            description="The journal pages that a run reads to make a day",
            columns=dict.fromkeys(PAGE_COLUMNS, "string"),
            location=f"{root}pages/",
            input_format=LISTED,
            serde=JSON_SERDE,
            serde_parameters={},
            partition_keys=["date", "run"],
            parameters={
                "classification": "json",
                **_OF_A_RUN,
                "storage.location.template": root + "pages/date=${date}/run=${run}/",
            },
        )
        sql_table(
            self,
            "Rows",
            database=database,
            name="closed_day_of_a_run",
            description="The rows that a run wrote, whether they are published or not",
            columns=ROW_TYPES,
            location=f"{root}closed/",
            input_format=PARQUET,
            serde=PARQUET_SERDE,
            serde_parameters={"serialization.format": "1"},
            partition_keys=["date", "run"],
            parameters={
                "classification": "parquet",
                **_OF_A_RUN,
                "storage.location.template": root + "closed/date=${date}/run=${run}/",
            },
        )
