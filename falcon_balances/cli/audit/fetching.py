"""`falcon audit fetch`: the log, its versions, the manifests and the public key, in a folder."""

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from falcon_balances.adapters.manifests import SigningKey
from falcon_balances.cli.errors import AwsError
from falcon_balances.cli.target import Target

_CONCURRENT = 16
_LINE = 64


def fetch_all(target: Target, folder: Path, advance: Callable[[int], None]) -> int:
    """The number of objects that were not there yet. Nothing is ever overwritten or deleted."""
    fetched = _copy(target, target.log_bucket, folder / "log", advance)
    _copy(target, target.manifest_bucket, folder, advance)
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
    return fetched


def _copy(target: Target, bucket: str, folder: Path, advance: Callable[[int], None]) -> int:
    s3 = target.client("s3")
    folder.mkdir(parents=True, exist_ok=True)

    def copy(key: str) -> None:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever is interrupted leaves no half an object behind.
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        part.replace(path)

    fetched = 0
    with ThreadPoolExecutor(_CONCURRENT) as pool:
        for page in _pages(target, "list_objects_v2", bucket):
            keys = [each["Key"] for each in page.get("Contents", [])]
            missing = [key for key in keys if not (folder / _safe(key)).exists()]
            list(pool.map(copy, missing))
            fetched += len(missing)
            advance(len(keys))
    return fetched


def _safe(key: str) -> str:
    """Whoever can write to a bucket can choose keys: none of them leads out of the folder."""
    if key.startswith("/") or ".." in PurePosixPath(key).parts or key.endswith("/"):
        raise AwsError(f"a key that is no path: {key[:200]}")
    return key


def _pages(target: Target, operation: str, bucket: str) -> Iterator[dict[str, Any]]:
    yield from target.client("s3").get_paginator(operation).paginate(Bucket=bucket)


def _pem(der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
