"""What the sealer touches: every version in the log's bucket, the manifests, the key that signs."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.domain.manifests import ALGORITHM, FOLDER, Manifest, Sealed, sequence_of
from falcon_balances.domain.operations import Stage

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

_CONCURRENT: Final = 32


@dataclass(frozen=True, slots=True, order=True)
class ObjectVersion:
    """A version of a key, as a listing has it; `written_at` is S3's own time, to the second."""

    written_at: datetime
    key: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The first version of each key; `odd` are keys that have more, or a delete marker."""

    firsts: Sequence[ObjectVersion]
    odd: Sequence[str]


class LogVersions:
    """The log's bucket, with every version. Stages are listed at the same time."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def list_all(self) -> Listing:
        """One request for a thousand versions. What lies outside the stages' folders is odd."""
        with ThreadPoolExecutor(len(Stage) + 1) as pool:
            elsewhere = pool.submit(self._elsewhere)
            parts = list(pool.map(self._list, [f"{stage}/" for stage in Stage]))
            return Listing(
                [each for part in parts for each in part.firsts],
                [*elsewhere.result(), *(key for part in parts for key in part.odd)],
            )

    def of(self, key: str) -> Listing:
        """One key's; `odd` where it has several, or a delete marker."""
        found = self._list(key)
        return Listing(
            [each for each in found.firsts if each.key == key],
            [each for each in found.odd if each == key],
        )

    def read_all(self, versions: Sequence[ObjectVersion]) -> Iterator[tuple[ObjectVersion, bytes]]:
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            yield from zip(versions, pool.map(self._read, versions), strict=True)

    def _list(self, prefix: str) -> Listing:
        firsts: dict[str, ObjectVersion] = {}
        odd: set[str] = set()
        with aws_call(f"versions below {prefix}"):
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            for page in pages:
                odd |= {each["Key"] for each in page.get("DeleteMarkers", [])}
                for each in page.get("Versions", []):
                    key = each["Key"]
                    written_at = each["LastModified"].replace(microsecond=0)
                    version = ObjectVersion(written_at, key, each["VersionId"])
                    known = firsts.get(key)
                    if known is not None:
                        odd.add(key)
                    # A page has a key's newest version first.
                    firsts[key] = version if known is None else min(known, version)
        return Listing(list(firsts.values()), sorted(odd))

    def _elsewhere(self) -> list[str]:
        with aws_call("keys outside the stages"):
            answer = self._s3.list_objects_v2(Bucket=self.bucket, Delimiter="/")
        known = {f"{stage}/" for stage in Stage}
        folders = {each["Prefix"] for each in answer.get("CommonPrefixes", [])}
        return sorted({each["Key"] for each in answer.get("Contents", [])} | (folders - known))

    def _read(self, version: ObjectVersion) -> bytes:
        with aws_call(f"read {version.key}"):
            answer = self._s3.get_object(
                Bucket=self.bucket, Key=version.key, VersionId=version.version_id
            )
            return answer["Body"].read()


class ManifestBucket:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def last(self) -> Sealed:
        """How far the log is sealed. Raises IntegrityError for a manifest that is none."""
        keys = [key for key in self.keys() if sequence_of(key) is not None]
        return Sealed.read(self.read(max(keys))) if keys else Sealed()

    def keys(self) -> Iterable[str]:
        with aws_call("keys of manifests"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=FOLDER
            )
            for page in pages:
                yield from (each["Key"] for each in page.get("Contents", []))

    def read(self, key: str) -> bytes:
        with aws_call(f"read {key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def append(self, manifest: Manifest, signature_base64: str) -> bool:
        """False where another sealer was first: nothing is overwritten."""
        body = manifest.signed(signature_base64)
        with aws_call(f"append {manifest.key}"):
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=manifest.key,
                    Body=body,
                    ContentType="application/jsonl",
                    ChecksumSHA256=b64encode(sha256(body).digest()).decode(),
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if error_code(error) != "PreconditionFailed":
                    raise
                return False
        return True


class SigningKey:
    """A P-256 key that never leaves KMS."""

    def __init__(self, kms: "KMSClient", key_id: str) -> None:
        self._kms = kms
        self._key_id = key_id

    def sign(self, text: bytes) -> str:
        """ECDSA over the SHA-256 of the text, of 4,096 bytes at most; DER, in base64."""
        with aws_call("sign a manifest"):
            answer = self._kms.sign(
                KeyId=self._key_id,
                Message=text,
                MessageType="RAW",
                SigningAlgorithm=ALGORITHM,
            )
        return b64encode(answer["Signature"]).decode()

    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        with aws_call("public key"):
            return self._kms.get_public_key(KeyId=self._key_id)["PublicKey"]
