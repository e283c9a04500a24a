"""The manifests in S3, and the key that signs them."""

from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.write_once import put_once
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.manifests import (
    ALGORITHM,
    FOLDER,
    Head,
    Manifest,
    Sealed,
    manifest_key,
    sequence_of,
    signed_head,
)
from falcon_balances.domain.merchant_branch import SEQUENCE_MAX, SealedLine

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

# The longest text that KMS signs: https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
_SIGNED_BYTES_MAX: Final = 4_096
# A head that KMS signed, a signature, and their ends.
_HEADS_BYTES_MAX: Final = _SIGNED_BYTES_MAX + 256
_PARTS: Final = 3  # head, signature, leaves
_SPANS_AT_ONCE: Final = 32
# Reading so many bytes in vain takes less time than another request.
_GAP_BYTES_MAX: Final = 64 << 10
_SPAN_BYTES_MAX: Final = 4 << 20


class ManifestBucket:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._first_leaves: dict[int, int] = {}
        self._beginnings: dict[int, bytes] = {}

    def last(self, signer: "SigningKey") -> Sealed:
        """How far the log is sealed.

        Raises IntegrityError if the number after the last manifest is missing, or if `signer` did
        not sign the last manifest under its number: no manifest may follow somebody else's.
        """
        sequence = self._last_sequence()
        if sequence == 0:
            return Sealed()
        key = manifest_key(sequence)
        manifest = self.read(key)
        if not signer.signed(*signed_head(manifest)):
            raise IntegrityError(f"{key} was not signed by the sealer's key")
        sealed = Sealed.read(manifest)
        if sealed.head is None or sealed.head.sequence != sequence:
            raise IntegrityError(f"the head of {key} has another sequence")
        return sealed

    def _last_sequence(self) -> int:
        """The last manifest's number, by 28 requests, however many manifests there are."""
        numbers = range(1, SEQUENCE_MAX + 1)
        last = bisect_left(numbers, True, key=lambda number: not self._has(number))  # noqa: FBT003
        later = next(filter(sequence_of, self._keys(after=manifest_key(last))), None)
        if later is not None:
            raise IntegrityError(f"{later} exists, but manifest {last + 1} is missing")
        return last

    def _has(self, sequence: int) -> bool:
        key = manifest_key(sequence)
        with aws_call(f"look for {key}"):
            found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return [each["Key"] for each in found.get("Contents", [])] == [key]

    def keys(self) -> Iterable[str]:
        return self._keys(after=FOLDER)

    def _keys(self, after: str) -> Iterator[str]:
        with aws_call("keys of manifests"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=FOLDER, StartAfter=after
            )
            for page in pages:
                yield from (each["Key"] for each in page.get("Contents", []))

    def head(self, sequence: int) -> Head:
        """Reads a head without its leaves."""
        return Head.read(self._range(sequence, 0, _HEADS_BYTES_MAX).partition(b"\n")[0])

    def read(self, key: str) -> bytes:
        with aws_call(f"read {key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def lines(self, wanted: Sequence[SealedLine]) -> list[bytes]:
        """These lines of manifests, in this order: a request for the first 4 MiB of each manifest,
        which are kept, and one for each further line, or for several that are near each other.

        In memory: the lines, the first 4 MiB of 32 manifests, and 32 spans of at most 4 MiB.
        """
        found: dict[SealedLine, bytes] = {}
        with ThreadPoolExecutor(_SPANS_AT_ONCE) as pool:
            new = sorted({each.sequence for each in wanted} - self._first_leaves.keys())
            for first in range(0, len(new), _SPANS_AT_ONCE):
                some = new[first : first + _SPANS_AT_ONCE]
                for sequence, body in zip(some, pool.map(self._beginning, some), strict=True):
                    self._keep(sequence, body)
                found.update(self._kept(wanted))
            found.update(self._kept(wanted))
            for read in pool.map(self._span, spans_of(set(wanted) - found.keys())):
                found.update(read)
        return [found[each] for each in wanted]

    def _beginning(self, sequence: int) -> bytes:
        return self._range(sequence, 0, _HEADS_BYTES_MAX + _SPAN_BYTES_MAX)

    def _keep(self, sequence: int, body: bytes) -> None:
        """Keeps the first leaves of a manifest, and drops those of the oldest one if need be: lines
        of newer ones are read more often.
        """
        head, signature, leaves = parts_of(manifest_key(sequence), body)
        self._first_leaves[sequence] = len(head) + len(signature) + 2
        self._beginnings[sequence] = leaves[:_SPAN_BYTES_MAX]
        if len(self._beginnings) > _SPANS_AT_ONCE:
            del self._beginnings[min(self._beginnings)]

    def _kept(self, wanted: Iterable[SealedLine]) -> Iterator[tuple[SealedLine, bytes]]:
        for each in wanted:
            leaves = self._beginnings.get(each.sequence, b"")
            if each.offset + each.size <= len(leaves):
                yield each, leaves[each.offset : each.offset + each.size]

    def _span(self, span: Sequence[SealedLine]) -> dict[SealedLine, bytes]:
        first, last = span[0], span[-1]
        start = self._first_leaves[first.sequence] + first.offset
        end = start + last.offset + last.size - first.offset
        body = self._range(first.sequence, start, end)
        starts = [each.offset - first.offset for each in span]
        return {
            each: body[start : start + each.size] for each, start in zip(span, starts, strict=True)
        }

    def _range(self, sequence: int, start: int, end: int) -> bytes:
        key = manifest_key(sequence)
        with aws_call(f"read a part of {key}"):
            try:
                answer = self._s3.get_object(
                    Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}"
                )
            except ClientError as error:
                if error_code(error) == "InvalidRange":
                    raise IntegrityError(f"{key} is too short") from error
                raise
            return answer["Body"].read()

    def append(self, manifest: Manifest, signature_base64: str) -> bool:
        """Writes a manifest; False if another sealer was first: nothing is overwritten.

        If only the answer to our own PUT was lost, S3 refuses the repeated PUT as well. Then the
        stored bytes equal ours; another sealer's bytes differ, because its blinds do.
        """
        body = manifest.signed(signature_base64)
        version_id = put_once(self._s3, self._bucket, manifest.key, body, "application/jsonl")
        if version_id is None and self.read(manifest.key) != body:
            return False
        self._keep(manifest.head.sequence, body)
        return True


def parts_of(key: str, manifest: bytes) -> list[bytes]:
    """Head, signature, and leaves, of which the end may be missing. Raises IntegrityError."""
    parts = manifest.split(b"\n", 2)
    if len(parts) < _PARTS:
        raise IntegrityError(f"{key} has no leaves")
    return parts


def spans_of(lines: Iterable[SealedLine]) -> Iterator[list[SealedLine]]:
    """Lines that one request reads."""
    span: list[SealedLine] = []
    for line in sorted(set(lines), key=lambda each: (each.sequence, each.offset)):
        if span and not _is_near(span, line):
            yield span
            span = []
        span.append(line)
    if span:
        yield span


def _is_near(span: Sequence[SealedLine], line: SealedLine) -> bool:
    first, last = span[0], span[-1]
    return (
        line.sequence == last.sequence
        and line.offset - last.offset - last.size <= _GAP_BYTES_MAX
        and line.offset + line.size - first.offset <= _SPAN_BYTES_MAX
    )


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
