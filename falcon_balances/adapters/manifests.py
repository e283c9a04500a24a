"""The sealer's access to AWS: all versions of the log, the manifests, the signing key."""

from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.write_once import put_once
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.manifests import (
    ALGORITHM,
    FOLDER,
    Manifest,
    Sealed,
    sequence_of,
    signed_head,
)
from falcon_balances.domain.operations import Stage

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES: Final = 1 << 20
# The longest text that KMS signs: https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
_SIGNED_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True, order=True)
class ObjectVersion:
    """A version of a key, as a listing has it; `written_at` is S3's own time, to the second."""

    written_at: datetime
    key: str
    version_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The log's contents, by the first version of each key.

    `new`: those written after a given time; `known`: the number of all others. `odd`: keys with a
    second version or a delete marker, and keys outside the stages. `asked_at`: S3's time before the
    listing; None if S3 did not give it.
    """

    new: Sequence[ObjectVersion]
    known: int
    odd: Sequence[str]
    asked_at: datetime | None = None


class LogVersions:
    """The log's bucket with all versions. Stages are listed concurrently."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def list_all(self, since: datetime | None) -> Listing:
        """Lists all versions, a thousand per request; memory grows with new and odd keys only."""
        elsewhere, asked_at = self._elsewhere()
        with ThreadPoolExecutor(len(Stage)) as pool:
            parts = list(pool.map(lambda stage: self._list(f"{stage}/", since), Stage))
        return Listing(
            [each for part in parts for each in part.new],
            sum(part.known for part in parts),
            [*elsewhere, *(key for part in parts for key in part.odd)],
            asked_at,
        )

    def of(self, key: str) -> Listing:
        """The versions of one key; `odd` if it has several, or a delete marker."""
        found = self._list(key, None)
        return Listing(
            [each for each in found.new if each.key == key],
            0,
            [each for each in found.odd if each == key],
            None,
        )

    def read(self, version: ObjectVersion) -> bytes:
        return b"".join(self._chunks(version))

    def digest(self, version: ObjectVersion) -> str:
        """SHA-256 of an object that is too large for memory."""
        digest = sha256()
        for chunk in self._chunks(version):
            digest.update(chunk)
        return digest.hexdigest()

    def _list(self, prefix: str, since: datetime | None) -> Listing:
        new: list[ObjectVersion] = []
        known = 0
        odd: set[str] = set()
        with aws_call(f"versions below {prefix}"):
            for first in _firsts(self._versions(prefix, odd), odd):
                if since is None or first.written_at > since:
                    new.append(first)
                else:
                    known += 1
        return Listing(new, known, sorted(odd))

    def _versions(self, prefix: str, marked: set[str]) -> Iterator[ObjectVersion]:
        """Versions in the order of the listing; keys with a delete marker are added to `marked`."""
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        for page in pages:
            marked.update(each["Key"] for each in page.get("DeleteMarkers", []))
            for each in page.get("Versions", []):
                written_at = each["LastModified"].replace(microsecond=0)
                yield ObjectVersion(written_at, each["Key"], each["VersionId"], each["Size"])

    def _elsewhere(self) -> tuple[list[str], datetime | None]:
        with aws_call("keys outside the stages"):
            answer = self._s3.list_objects_v2(Bucket=self.bucket, Delimiter="/")
        known = {f"{stage}/" for stage in Stage}
        folders = {each["Prefix"] for each in answer.get("CommonPrefixes", [])}
        strangers = {each["Key"] for each in answer.get("Contents", [])} | (folders - known)
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        return sorted(strangers), None if date is None else parsedate_to_datetime(date)

    def _chunks(self, version: ObjectVersion) -> Iterator[bytes]:
        with aws_call(f"read {version.key}"):
            answer = self._s3.get_object(
                Bucket=self.bucket, Key=version.key, VersionId=version.version_id
            )
            yield from answer["Body"].iter_chunks(_CHUNK_BYTES)


def _firsts(versions: Iterable[ObjectVersion], odd: set[str]) -> Iterator[ObjectVersion]:
    """The first version of each key; keys with more versions are added to `odd`.

    A listing has the versions of a key together, the newest first. This order is right even within
    a second, where their times are equal.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
    """
    for key, group in groupby(versions, attrgetter("key")):
        *second, first = deque(group, maxlen=2)
        if second:
            odd.add(key)
        yield first


class ManifestBucket:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def last(self, signer: "SigningKey") -> Sealed:
        """How far the log is sealed.

        Raises IntegrityError if a number is missing, or if `signer` did not sign the last manifest
        under that number: no manifest may follow somebody else's.
        """
        numbered = [key for key in self.keys() if sequence_of(key) is not None]
        for number, key in enumerate(numbered, start=1):
            if sequence_of(key) != number:
                raise IntegrityError(f"{key} exists, but manifest {number} is missing")
        if not numbered:
            return Sealed()
        manifest = self.read(numbered[-1])
        if not signer.signed(*signed_head(manifest)):
            raise IntegrityError(f"{numbered[-1]} was not signed by the sealer's key")
        sealed = Sealed.read(manifest)
        if sealed.head is None or sealed.head.sequence != len(numbered):
            raise IntegrityError(f"{numbered[-1]} has another sequence in its head")
        return sealed

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
        """Writes a manifest; False if another sealer was first: nothing is overwritten.

        If only the answer to our own PUT was lost, S3 refuses the repeated PUT as well. Then the
        stored bytes equal ours; another sealer's bytes differ, because its blinds do.
        """
        body = manifest.signed(signature_base64)
        version_id = put_once(self._s3, self._bucket, manifest.key, body, "application/jsonl")
        return version_id is not None or self.read(manifest.key) == body


class SigningKey:
    """A P-256 key that never leaves KMS."""

    def __init__(self, kms: "KMSClient", key_id: str) -> None:
        self._kms = kms
        self._key_id = key_id

    def sign(self, text: bytes) -> str:
        """Signs a text of at most 4,096 bytes: ECDSA over its SHA-256, as DER in base64."""
        with aws_call("sign a manifest"):
            answer = self._kms.sign(
                KeyId=self._key_id,
                Message=text,
                MessageType="RAW",
                SigningAlgorithm=ALGORITHM,
            )
        return b64encode(answer["Signature"]).decode()

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether this key made the signature, according to KMS."""
        if len(text) > _SIGNED_BYTES_MAX:
            return False
        with aws_call("verify the last manifest"):
            try:
                answer = self._kms.verify(
                    KeyId=self._key_id,
                    Message=text,
                    MessageType="RAW",
                    Signature=signature,
                    SigningAlgorithm=ALGORITHM,
                )
            except ClientError as error:
                if error_code(error) != "KMSInvalidSignatureException":
                    raise
                return False
        return answer["SignatureValid"]

    def public_key(self) -> bytes:
        """The public key: SubjectPublicKeyInfo in DER."""
        with aws_call("public key"):
            return self._kms.get_public_key(KeyId=self._key_id)["PublicKey"]
