"""Log and manifests on moto, a sealer that works on them, and their verifier."""

import json
from datetime import datetime, timedelta
from typing import Final

import boto3
from moto.s3.models import s3_backends

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.manifests import LogVersions, ManifestBucket, SigningKey
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.domain.manifests import manifest_key
from lambdas.sealer.sealing import seal_new

LOG, MANIFESTS = "log-bucket", "manifest-bucket"


REGION: Final = "eu-central-1"
ACCOUNT_ID: Final = "123456789012"  # moto's


class Buckets:
    """A log and its manifests on moto, and what an auditor would copy of both.

    What is put is written at `time`, and sealed a minute later.
    """

    def __init__(self, folder) -> None:
        self.folder = folder
        self.time = utc_now().replace(microsecond=0) - timedelta(days=1)
        self.told: list[str] = []
        self.unaccounted = 0
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

    def put(self, some: dict[str, bytes]) -> None:
        for key, body in some.items():
            self.s3.put_object(Bucket=LOG, Key=key, Body=body)
            versions = s3_backends[ACCOUNT_ID]["aws"].buckets[LOG].keys.getlist(key)
            versions[-1].last_modified = self.time.replace(tzinfo=None)

    def seal(
        self,
        objects_max: int = 1_000,
        has_time=lambda: True,
        now: datetime | None = None,
        settled_s: int = 60,
    ):
        return seal_new(
            LogVersions(self.s3, LOG),
            self.manifests,
            self.key,
            now=now or self.time + timedelta(minutes=1),
            settled_s=settled_s,
            objects_max=objects_max,
            has_time=has_time,
            tell=self.tell,
        )

    def tell(self, keys, unaccounted=0) -> None:
        self.told += keys
        self.unaccounted += unaccounted

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
