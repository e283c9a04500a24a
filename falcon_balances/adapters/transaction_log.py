"""The transaction log in S3 (design §6): every object written once, with its checksum."""

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.ports import LogObject, TransactionLog
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.observability import metrics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def append_once(log: TransactionLog, key: str, logged: LogObject) -> None:
    """Already there with the same bytes is as good as written: an answer may have been lost.

    Raises IntegrityError for other bytes.
    """
    if not log.append(key, logged) and log.read(key).body != logged.body:
        metrics.add_metric(name="LogMismatch", unit="Count", value=1)
        raise IntegrityError(f"other bytes in the log under {key}")


class S3TransactionLog:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def append(self, key: str, logged: LogObject) -> bool:
        """A conditional PUT. 412 says only that something lies there: False.

        409, another write under way, is TransientError like anything else that S3 refuses.
        """
        with aws_call(f"append {key}"):
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=logged.body,
                    ContentType="text/csv; charset=utf-8",
                    Metadata=logged.metadata,
                    ChecksumSHA256=b64encode(sha256(logged.body).digest()).decode(),
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if error_code(error) != "PreconditionFailed":
                    raise
                return False
        return True

    def read(self, key: str) -> LogObject:
        with aws_call(f"read {key}"):
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            return LogObject(answer["Body"].read(), answer["Metadata"])
