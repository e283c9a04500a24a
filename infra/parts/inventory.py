"""A weekly S3 Inventory of the log: what only a listing can find, without listing the log."""

from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.derived_bucket import DerivedBucket
from infra.parts.locked_bucket import LockedBucket

_PREFIX = "inventory"
# Long enough to look into the one of the last audit.
_KEPT_DAYS = 400


class Inventory(Construct):
    """All versions and delete markers, as CSV: what `falcon audit verify --versions` reads. S3
    writes it by itself and takes less than a cent for a million objects.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
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
        self.bucket = DerivedBucket(
            self,
            "Inventories",
            settings=settings,
            purpose="inventories",
            expires={_PREFIX: _KEPT_DAYS},
        )
        log_bucket.bucket.add_inventory(
            destination=s3.InventoryDestination(bucket=self.bucket.bucket, prefix=_PREFIX),
            inventory_id="weekly",
            format=s3.InventoryFormat.CSV,
            frequency=s3.InventoryFrequency.WEEKLY,
            include_object_versions=s3.InventoryObjectVersion.ALL,
            optional_fields=["Size", "LastModifiedDate"],
        )
