"""The tables: claims, merchant contexts, balances."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.throughput import (
    BALANCES,
    CLAIMS,
    INDEXES,
    Units,
    billing,
    capacity,
    scale,
    scale_indexes,
)


class Tables(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        # Claims and marks are kept for ever: storage costs more than the dearer reads and writes of
        # infrequent access, from a few months on (docs/capacity.md).
        kept = dynamodb.TableClass.STANDARD_INFREQUENT_ACCESS
        self.claims = self._table(
            "event-claims", "falcon_operation_id", "stage", CLAIMS, table_class=kept
        )
        self.contexts = self._table("merchant-contexts", "context_key")
        self.balances = self._table(
            "balances", "pk", "sk", BALANCES, table_class=kept, expires_by="expires_at"
        )
        # Lists the marks of a merchant in the order of counting. The key spreads a merchant over
        # several partitions, as one whose sort key only grows cannot be split.
        self.balances.add_global_secondary_index(
            index_name="by-window",
            partition_key=_text("spread"),
            sort_key=_text("counted_order"),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["tags"],
            **capacity(settings.provided, INDEXES["by-window"]),
        )

        # Blocks that will expire, by expiry; sparse: ended blocks leave the index.
        self.balances.add_global_secondary_index(
            index_name="by-expiry",
            partition_key=_text("expiring"),
            sort_key=_text("expiry"),
            projection_type=dynamodb.ProjectionType.ALL,
            **capacity(settings.provided, INDEXES["by-expiry"]),
        )

        # Operations whose stages differ, by merchant; sparse: agreeing operations leave the index.
        self.balances.add_global_secondary_index(
            index_name="by-open",
            partition_key=_text("open"),
            sort_key=_text("sk"),
            projection_type=dynamodb.ProjectionType.ALL,
            **capacity(settings.provided, INDEXES["by-open"]),
        )

        # Operations by merchant and by their own and their original's reference.
        self.balances.add_global_secondary_index(
            index_name="by-reference",
            partition_key=_text("referenced"),
            sort_key=_text("sk"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            **capacity(settings.provided, INDEXES["by-reference"]),
        )

        if settings.provided is not None:
            scale(self.claims, settings.provided, CLAIMS)
            scale(self.balances, settings.provided, BALANCES)
            scale_indexes(self.balances, settings.provided)

    def _table(
        self,
        name: str,
        key: str,
        sort_key: str | None = None,
        units: Units | None = None,
        *,
        table_class: dynamodb.TableClass = dynamodb.TableClass.STANDARD,
        expires_by: str | None = None,
    ) -> dynamodb.Table:
        keeps = self._settings.keeps_data
        return dynamodb.Table(
            self,
            "".join(word.capitalize() for word in name.split("-")),
            table_name=f"{self._settings.prefix}-{name}",
            partition_key=_text(key),
            sort_key=None if sort_key is None else _text(sort_key),
            time_to_live_attribute=expires_by,
            **billing(self._settings.provided, units),
            table_class=table_class,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=keeps,
            removal_policy=RemovalPolicy.RETAIN if keeps else RemovalPolicy.DESTROY,
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
