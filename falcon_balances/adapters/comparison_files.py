"""The reconciler's own files in S3, beside the bank statements: each written once."""

from typing import TYPE_CHECKING, Final

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.write_once import put_once
from falcon_balances.domain.errors import IntegrityError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

COMPARISONS: Final = "comparisons/"
SETTLED: Final = "settled/"
_NUMBER_END: Final = 10**8
_TYPE: Final = "application/zlib"


def comparisons_key(number: int) -> str:
    """Counts down, so that the newest is listed first, by one request at any age."""
    if not 0 < number < _NUMBER_END:
        raise IntegrityError(f"comparisons have no number {number}")
    return f"{COMPARISONS}{_NUMBER_END - number:08d}.z"


class ComparisonBucket:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def last(self) -> tuple[str, bytes] | None:
        with aws_call("look for the last comparisons"):
            found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=COMPARISONS, MaxKeys=1)
        keys = [each["Key"] for each in found.get("Contents", [])]
        return (keys[0], self._read(keys[0])) if keys else None

    def append(self, number: int, body: bytes) -> bool:
        """If only the answer to our own PUT was lost, S3 has our bytes."""
        key = comparisons_key(number)
        written = put_once(self._s3, self._bucket, key, body, _TYPE)
        return written is not None or self._read(key) == body

    def settle(self, name: str, body: bytes) -> None:
        put_once(self._s3, self._bucket, f"{SETTLED}{name}", body, _TYPE)

    def read_settled(self, name: str, start: int, end: int) -> bytes:
        key = f"{SETTLED}{name}"
        with aws_call(f"read {key}"):
            answer = self._s3.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}"
            )
            return answer["Body"].read()

    def _read(self, key: str) -> bytes:
        with aws_call(f"read {key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
