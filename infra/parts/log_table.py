"""The transaction log as SQL tables: Athena reads the objects in place."""

from collections.abc import Sequence

from aws_cdk import Aws
from aws_cdk import aws_glue as glue
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.locked_bucket import LockedBucket
from infra.parts.sql_table import TEXTS, sql_table

# The columns of a log object (design §6). All are texts: ids like 0012 stay unchanged. A query
# casts amounts to decimals, so an invalid amount fails the query instead of becoming NULL.
COLUMNS = (
    "uuid",
    "external_reference",
    "amount",
    "currency",
    "type",
    "falcon_operation_id",
    "operation_date",
    "local_merchant_id",
    "shop_id",
    "balance_shop_id",
    "psp_id",
    "original_reference",
    "occurrence",
    "bank_reference",
    "reason_code",
    "requested_by",
)
STAGES = ("confirmed", "reconciled", "payout", "adjustment")
# A query of `transaction_log` silently misses lines with earlier dates. Each year more makes Athena
# look into 1,460 more places per merchant if a query names no dates. The range ends tomorrow,
# because a date may be a quarter of an hour ahead of the clock.
DATES = "2015-01-01,NOW+1DAY"
# The log has no quotes. This reader keeps a quote as a character; OpenCSVSerde would remove quotes
# and backslashes, and so show a line that was tampered with as a correct one.
# https://docs.aws.amazon.com/athena/latest/ug/serde-csv-choices.html
SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"


class LogTable(Construct):
    """`transaction_log`: only merchants that the query names. `transaction_log_all`: all merchants.

    Athena derives the partitions from the query, so nobody registers any. A table's properties
    cannot list all merchants: a query must name them with = or IN, otherwise it fails.
    https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        log_bucket: LockedBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self._root = f"s3://{log_bucket.bucket_name}/"
        self.database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=settings.prefix.replace("-", "_"),
                description="Falcon Balances: transaction log, journal, closed days",
            ),
        )
        self._table(
            "ByMerchant",
            name="transaction_log",
            description="For named merchants: merchant_id with = or IN, quick with dates",
            partition_keys=("stage", "merchant_id", "date"),
            parameters={
                "projection.enabled": "true",
                "projection.stage.type": "enum",
                "projection.stage.values": ",".join(STAGES),
                "projection.merchant_id.type": "injected",
                "projection.date.type": "date",
                "projection.date.format": "yyyy-MM-dd",
                "projection.date.range": DATES,
                "projection.date.interval": "1",
                "projection.date.interval.unit": "DAYS",
                "storage.location.template": (
                    self._root + "${stage}/merchant_id=${merchant_id}/date=${date}/"
                ),
            },
        )
        self._table(
            "All",
            name="transaction_log_all",
            description='Every object, whatever its date; "$path" says stage and merchant',
            partition_keys=(),
            parameters={},
        )

    def _table(
        self,
        construct_id: str,
        *,
        name: str,
        description: str,
        partition_keys: Sequence[str],
        parameters: dict[str, str],
    ) -> None:
        sql_table(
            self,
            construct_id,
            database=self.database,
            name=name,
            description=description,
            columns=dict.fromkeys(COLUMNS, "string"),
            location=self._root,
            input_format=TEXTS,
            serde=SERDE,
            serde_parameters={"field.delim": ",", "serialization.format": ","},
            partition_keys=partition_keys,
            parameters={
                "classification": "csv",
                "skip.header.line.count": "1",
                **parameters,
            },
        )
