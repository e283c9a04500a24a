"""A table in Glue over objects in S3, as Athena reads it."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws
from aws_cdk import aws_glue as glue
from constructs import Construct

TEXTS = "org.apache.hadoop.mapred.TextInputFormat"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
# Its location holds lists of objects, one address a line; the table is what these objects hold.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-athena-query.html
LISTED = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"


def sql_table(
    scope: Construct,
    construct_id: str,
    *,
    database: glue.CfnDatabase,
    name: str,
    description: str,
    columns: Mapping[str, str],
    location: str,
    input_format: str,
    serde: str,
    serde_parameters: Mapping[str, str],
    partition_keys: Sequence[str] = (),
    parameters: Mapping[str, str],
) -> glue.CfnTable:
    """`columns` by their types; partition keys are texts."""
    return glue.CfnTable(
        scope,
        construct_id,
        catalog_id=Aws.ACCOUNT_ID,
        database_name=database.ref,
        table_input=glue.CfnTable.TableInputProperty(
            name=name,
            description=description,
            table_type="EXTERNAL_TABLE",
            parameters={"EXTERNAL": "TRUE", **parameters},
            partition_keys=_columns(dict.fromkeys(partition_keys, "string")),
            storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                columns=_columns(columns),
                location=location,
                input_format=input_format,
                output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                serde_info=glue.CfnTable.SerdeInfoProperty(
                    serialization_library=serde, parameters=dict(serde_parameters)
                ),
            ),
        ),
    )


def _columns(types: Mapping[str, str]) -> list[glue.CfnTable.ColumnProperty]:
    return [glue.CfnTable.ColumnProperty(name=name, type=each) for name, each in types.items()]
