"""Everything that must outlive a deployment: log, journal, quarantine, tables, stream, users."""

from aws_cdk import CfnOutput, DefaultStackSynthesizer, Stack
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.balance_stream import balance_stream
from infra.parts.closed_day_tables import ClosedDayTables, JournalTable
from infra.parts.derived_bucket import DerivedBucket
from infra.parts.inventory import Inventory
from infra.parts.locked_bucket import LockedBucket
from infra.parts.log_table import LogTable
from infra.parts.making_days_role import RESULTS
from infra.parts.merchant_users import MerchantUsers
from infra.parts.role_names import role_name
from infra.parts.sealing import signing_key
from infra.parts.tables import Tables
from infra.parts.tampering import Tampering


class DataStack(Stack):
    def __init__(
        self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Falcon Balances: log, journal, quarantine, tables, stream, users",
            analytics_reporting=False,
            # The emulator is an account without the bootstrap stack that CDK would look for.
            synthesizer=DefaultStackSynthesizer(
                generate_bootstrap_version_rule=not settings.emulated
            ),
            termination_protection=settings.keeps_data,
        )
        self.log_bucket = LockedBucket(
            self, "Log", settings=settings, purpose="log", lock=settings.log_lock, write_once=True
        )
        self.quarantine_bucket = LockedBucket(
            self,
            "Quarantine",
            settings=settings,
            purpose="quarantine",
            lock=settings.quarantine_lock,
            # The same bytes can be refused twice: a second version under the same key is allowed.
            write_once=False,
        )
        self.journal_bucket = LockedBucket(
            self,
            "Journal",
            settings=settings,
            purpose="journal",
            lock=settings.journal_lock,
            write_once=True,
            writer=role_name(settings, "reducer"),
        )
        self.manifest_bucket = LockedBucket(
            self,
            "Manifests",
            settings=settings,
            purpose="manifests",
            lock=settings.manifest_lock,
            write_once=True,
        )
        self.bank_statement_bucket = LockedBucket(
            self,
            "Statements",
            settings=settings,
            purpose="statements",
            lock=settings.bank_statement_lock,
            # Banks and PSPs may not send conditional PUTs, and a report can be written again.
            write_once=False,
        )
        # The emulator has neither notifications of buckets to topics nor inventories.
        if not settings.emulated:
            Inventory(self, "Inventory", settings=settings, log_bucket=self.log_bucket)
            written_once = [self.log_bucket, self.journal_bucket, self.manifest_bucket]
            Tampering(self, "Tampering", settings=settings, buckets=written_once)
        self._add_tables(settings)
        self.signing_key = signing_key(self, settings)
        self.tables = Tables(self, "Tables", settings=settings)
        self.stream = balance_stream(self, "BalanceOperations", settings=settings)
        self.users = MerchantUsers(self, "Users", settings=settings)
        self._name_outputs()

    def _add_tables(self, settings: EnvironmentSettings) -> None:
        """The emulator's Athena has no UNLOAD, so it has no bucket for what that writes."""
        database = LogTable(
            self, "LogTable", settings=settings, log_bucket=self.log_bucket
        ).database
        JournalTable(self, "JournalTable", database=database, journal_bucket=self.journal_bucket)
        self.closed_bucket = None
        if not settings.emulated:
            self.closed_bucket = DerivedBucket(
                self,
                "Closed",
                settings=settings,
                purpose="closed",
                expires={RESULTS: 7, "pages": 30},
                written_once="days/*",
            )
            ClosedDayTables(
                self, "ClosedDayTables", database=database, closed_bucket=self.closed_bucket
            )

    def _name_outputs(self) -> None:
        for name, value in {
            "LogBucket": self.log_bucket.bucket_name,
            "QuarantineBucket": self.quarantine_bucket.bucket_name,
            "BalancesTable": self.tables.balances.table_name,
            "ClaimsTable": self.tables.claims.table_name,
            "ContextTable": self.tables.contexts.table_name,
            "Stream": self.stream.stream_name,
            "UserPoolId": self.users.pool.user_pool_id,
            "ClientId": self.users.client.user_pool_client_id,
        }.items():
            CfnOutput(self, name, value=value)
