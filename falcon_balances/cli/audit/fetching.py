"""`falcon audit fetch`: copies log, versions, manifests and public key into a folder."""

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import EEXIST, EISDIR, ENAMETOOLONG, ENOTDIR
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.manifests import SigningKey
from falcon_balances.cli import output
from falcon_balances.cli.errors import MismatchError
from falcon_balances.cli.target import Target
from falcon_balances.domain.manifests import FOLDER

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONCURRENT = 16
_CHUNK_BYTES = 1 << 20
_LINE = 64
_SHOWN_MAX = 50
# Errors of a file system for an impossible name, or one that conflicts with existing names.
_NO_NAME = {EEXIST, EISDIR, ENAMETOOLONG, ENOTDIR}


@dataclass(frozen=True, slots=True)
class _Copied:
    """The number of new files, and the keys that were skipped: they cannot be file names, or are
    misplaced. Keys of log objects and manifests are never skipped.
    """

    fetched: int
    skipped: list[str]


def fetch_all(target: Target, folder: Path, advance: Callable[[int], None]) -> int:
    """Copies objects that are missing, and returns how many. Nothing is overwritten or deleted.

    Whoever can write to a bucket chooses its keys. A key that cannot be a file name is skipped and
    reported; MismatchError comes after everything else is copied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # An interrupted copy leaves no partial object under the key's name.
    with TemporaryDirectory(dir=folder, prefix=".fetching-") as name:
        halves = Path(name)
        log = _copy(target, target.log_bucket, folder / "log", halves, advance)
        manifests = _copy(target, target.manifest_bucket, folder, halves, advance, below=FOLDER)
    listing: dict[str, list[dict[str, Any]]] = {"Versions": [], "DeleteMarkers": []}
    for page in _pages(target, "list_object_versions", target.log_bucket):
        for name, known in listing.items():
            known += [
                {field: each[field] for field in ("Key", "VersionId", "IsLatest")}
                for each in page.get(name, [])
            ]
    (folder / "versions.json").write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")
    key = SigningKey(target.client("kms"), target.signing_key_alias).public_key()
    (folder / "public-key.pem").write_text(_pem(key), encoding="ascii")
    _say([*log.skipped, *manifests.skipped])
    return log.fetched


def _say(skipped: list[str]) -> None:
    for key in skipped[:_SHOWN_MAX]:
        output.warn(f"not fetched: this key cannot be a file name: {key[:200]}")
    if skipped:
        raise MismatchError(
            f"{output.count(len(skipped), 'key was', 'keys were')} not fetched; everything else was"
        )


def _copy(
    target: Target,
    bucket: str,
    folder: Path,
    halves: Path,
    advance: Callable[[int], None],
    below: str = "",
) -> _Copied:
    """Copies a bucket. Keys without the prefix `below` are skipped, so none can be written where
    other files belong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fetched = 0
    skipped: list[str] = []
    copy = partial(_copied, target.client("s3"), bucket, folder, halves)
    with ThreadPoolExecutor(_CONCURRENT) as pool:
        for page in _pages(target, "list_objects_v2", bucket):
            keys = [each["Key"] for each in page.get("Contents", [])]
            within = [key for key in keys if key.startswith(below)]
            skipped += [key for key in keys if not key.startswith(below)]
            for key, is_new in zip(within, pool.map(copy, within), strict=True):
                fetched += is_new is True
                skipped += [key] if is_new is None else []
            advance(len(keys))
    return _Copied(fetched, skipped)


def _copied(s3: "S3Client", bucket: str, folder: Path, halves: Path, key: str) -> bool | None:
    """Copies an object; False if it exists already, None if its key cannot be a file name."""
    if not _is_path(key):
        return None
    path = folder / key
    try:
        if path.is_file():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        half = halves / sha256(key.encode()).hexdigest()
        with half.open("wb") as file:
            for chunk in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK_BYTES):
                file.write(chunk)
        half.replace(path)
    except OSError as error:
        if error.errno not in _NO_NAME:
            raise
        return None
    return True


def _is_path(key: str) -> bool:
    """Whether the key, as a path, remains unchanged and stays inside the folder."""
    path = PurePosixPath(key)
    return (
        str(path) == key and not path.is_absolute() and ".." not in path.parts and "\0" not in key
    )


def _pages(target: Target, operation: str, bucket: str) -> Iterator[dict[str, Any]]:
    yield from target.client("s3").get_paginator(operation).paginate(Bucket=bucket)


def _pem(der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
