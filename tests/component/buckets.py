"""Log and manifests on moto, a journal in memory, the sealer, and the verifier."""

import json
from datetime import datetime, timedelta
from typing import Final

import boto3

from falcon_balances.adapters.manifests import ManifestBucket, SigningKey
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.domain.available import Joint
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.instants import quarter_of
from falcon_balances.domain.journal import BEGINNING, JournalEntry, JournalPosition
from falcon_balances.domain.manifests import manifest_key
from falcon_balances.domain.table_keys import BalanceKey
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.journal import MemoryJournal
from lambdas.sealer.sealing import Faults, SealerPorts, seal_new
from tests.component.world import utc
from tests.journals import SHARD, append

LOG, MANIFESTS = "log-bucket", "manifest-bucket"


EFFECT: Final = {BalanceKey("bs-5553-eur", "EUR"): Joint(pending=1)}
REGION: Final = "eu-central-1"
ACCOUNT_ID: Final = "123456789012"  # moto's


class Buckets:
    """A log and its manifests on moto, and what an auditor would copy of both.

    What is put is counted at `time` in a page of its own, and sealed by a cut a minute later.
    """

    def __init__(self, folder) -> None:
        self.folder = folder
        self.time = utc("2026-11-20T10:00:00")
        self.told: list[str] = []
        self.store = MemoryBalanceStore()
        self.journal = MemoryJournal()
        self.s3 = boto3.client("s3", region_name=REGION)
        self.kms = boto3.client("kms", region_name=REGION)
        for bucket in (LOG, MANIFESTS):
            self.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            self.s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        self.key = self.new_key()
        self.manifests = ManifestBucket(self.s3, MANIFESTS)

    def new_key(self) -> SigningKey:
        said = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        return SigningKey(self.kms, said["KeyMetadata"]["KeyId"])

    def purge(self, key: str) -> None:
        """As only who may lift GOVERNANCE can: the version is gone, without a delete marker."""
        (version,) = self.s3.list_object_versions(Bucket=LOG, Prefix=key)["Versions"]
        self.s3.delete_object(Bucket=LOG, Key=key, VersionId=version["VersionId"])

    def manifest(self, number: int = 1) -> str:
        return self.manifests.read(manifest_key(number)).decode()

    def put(self, some: dict[str, bytes], shard_id: str = SHARD) -> None:
        """Writes objects to the log and, with their versions, to the journal."""
        versions = {
            key: self.s3.put_object(Bucket=LOG, Key=key, Body=body)["VersionId"]
            for key, body in some.items()
        }
        self.count(some, versions, self.time, shard_id)

    def count(
        self,
        some: dict[str, bytes],
        versions: dict[str, str],
        counted_at: datetime,
        shard_id: str = SHARD,
    ) -> None:
        """Journals segments, new ones or once more."""
        window = quarter_of(counted_at)
        entries = [
            JournalEntry(window, EFFECT, key, versions[key], body.decode())
            for key, body in some.items()
        ]
        before = self.store.journaled.get(shard_id, BEGINNING)
        self.journaled(append(self.journal, before, *entries, shard_id=shard_id), shard_id)

    def again(self, some: dict[str, bytes], counted_at: datetime) -> None:
        """Journals segments that were counted before once more."""
        versions = {
            key: self.s3.list_object_versions(Bucket=LOG, Prefix=key)["Versions"][-1]["VersionId"]
            for key in some
        }
        self.count(some, versions, counted_at)

    def journaled(self, position: JournalPosition, shard_id: str = SHARD) -> None:
        self.store.journaled[shard_id] = position

    def cut(self) -> None:
        """A complete cut, a minute later."""
        cut = Cut(self.time + timedelta(minutes=1), tuple(self.store.journaled) or (SHARD,))
        for shard_id in cut.shards:
            position = self.store.journaled.get(shard_id, BEGINNING)
            self.store.meet_cut(cut, shard_id, position)
        self.store.advance_as_of(cut.cut_at)
        self.store.complete_cut(cut.cut_at, cut.cut_at)
        self.time = cut.cut_at

    def seal(self, objects_max: int = 1_000, has_time=lambda: True, *, cuts: bool = True):
        if cuts:
            self.cut()
        return seal_new(LOG, self.ports, objects_max=objects_max, has_time=has_time)

    @property
    def ports(self) -> SealerPorts:
        return SealerPorts(
            self.store, self.store, self.journal, self.manifests, self.key, self.tell
        )

    def tell(self, faults: Faults) -> None:
        self.told += [key for keys in faults for key in keys]

    def verify(self, **options):
        log, manifests = self.folder / "log", self.folder / "m"
        for bucket, where in ((LOG, log), (MANIFESTS, manifests)):
            where.mkdir(exist_ok=True)
            for each in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                path = where / each["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
        listing = self.s3.list_object_versions(Bucket=LOG)
        versions = self.folder / "versions.json"
        versions.write_text(json.dumps(listing, default=str))
        return verify(log, manifests, self.public_key, versions=versions, **options)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key()
