"""Reads an S3 Inventory of all versions: a manifest.json, and data files of gzipped CSV.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from hashlib import md5
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from .files import VERSIONS_MAX_BYTES, read_plain
from .findings import NotWrittenSoError

# S3 names the data files by an uuid; nothing else leads out of their folder.
DATA_FILE = re.compile(r"(?:.*/)?([A-Za-z0-9_-]+\.csv\.gz)\Z")
NEEDED = ("Bucket", "Key", "VersionId", "IsDeleteMarker")
# A key has at most 1,024 bytes, each encoded in three characters.
LINE_MAX_BYTES = 64 << 10


class ListedVersion(NamedTuple):
    key: str
    version_id: str
    is_marker: bool


def is_inventory(document: object) -> bool:
    return isinstance(document, dict) and "fileSchema" in document


def versions_in(
    manifest: Path, document: Mapping[str, Any], bucket: str
) -> Iterator[ListedVersion]:
    """Every version and delete marker of the bucket. Data files lie in the folder `data` beside the
    manifest's own folder, as S3 writes them.

    One data file is in memory at a time, compressed. Raises NotWrittenSoError, naming the file,
    also for an inventory of another bucket, or one without any version.
    """
    is_empty = True
    for each in _all_versions(manifest, document, bucket):
        is_empty = False
        yield each
    if is_empty:
        raise NotWrittenSoError("the inventory lists no version at all")


def _all_versions(
    manifest: Path, document: Mapping[str, Any], bucket: str
) -> Iterator[ListedVersion]:
    try:
        if document["sourceBucket"] != bucket:
            raise NotWrittenSoError(f"the inventory is not of the bucket {bucket}")
        schema = [each.strip() for each in document["fileSchema"].split(",")]
        files = [(DATA_FILE.match(each["key"]), each["MD5checksum"]) for each in document["files"]]
        if document["fileFormat"] != "CSV" or not set(NEEDED) <= set(schema):
            raise NotWrittenSoError("an inventory of all versions, as CSV, is required")
    except (KeyError, TypeError, AttributeError) as error:
        raise NotWrittenSoError("not the manifest of an S3 Inventory") from error
    places = [schema.index(each) for each in NEEDED]
    for named, checksum in files:
        if named is None:
            raise NotWrittenSoError("the manifest names a file that is no data file")
        yield from _versions(
            manifest.parent.parent / "data" / named[1], checksum, schema, places, bucket
        )


def _versions(
    file: Path, checksum: str, schema: list[str], places: list[int], bucket: str
) -> Iterator[ListedVersion]:
    try:
        body = read_plain(file, VERSIONS_MAX_BYTES)
    except OSError as error:
        raise NotWrittenSoError(f"{file.name}: {error.strerror}") from error
    # AWS's own checksum: against a file that was cut or mistaken, not against a forger.
    if md5(body, usedforsecurity=False).hexdigest() != checksum:
        raise NotWrittenSoError(f"{file.name}: its MD5 is not the one in the manifest")
    number = 0
    try:
        for line in _lines(body):
            number += 1
            yield _listed_in(line, schema, places, bucket)
    except (OSError, EOFError, zlib.error, ValueError, csv.Error) as error:
        said = "not gzipped CSV with the manifest's bucket and columns"
        raise NotWrittenSoError(f"{file.name}: {said}, from line {number} on") from error


def _listed_in(line: str, schema: list[str], places: list[int], bucket: str) -> ListedVersion:
    """The version in a line. Raises ValueError or csv.Error for any other text."""
    [row] = csv.reader([line], strict=True)
    of, key, version_id, is_marker = (row[each] for each in places if len(row) == len(schema))
    if of != bucket or is_marker not in {"true", "false"}:
        raise ValueError(line)
    return ListedVersion(unquote_plus(key), version_id, is_marker == "true")


def _lines(body: bytes) -> Iterator[str]:
    with gzip.open(BytesIO(body)) as stream:
        while line := stream.readline(LINE_MAX_BYTES):
            if len(line) == LINE_MAX_BYTES:
                raise ValueError("a line is too long")
            yield line.decode("ascii")
