"""An S3 Inventory tells the same as a listing: strangers, second versions, delete markers."""

import gzip
import json
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from falcon_balances.audit.verifier.inventory import LINE_MAX_BYTES
from tests.audit.tampering import check

SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate"
Row = tuple[str, str, bool]


def csv_of(rows: list[Row]) -> bytes:
    return "".join(
        f'"log-bucket","{quote_plus(key, safe="/")}","{version}","true","{str(marker).lower()}"'
        ',"300","2026-11-20T10:15:00.000Z"\n'
        for key, version, marker in rows
    ).encode()


def inventory(folder: Path, bodies: list[bytes], **changes: Any) -> Path:
    """As S3 writes it: data files, and a manifest in a folder with the time's name."""
    data = folder / "data"
    data.mkdir(parents=True)
    named = []
    for number, body in enumerate(bodies):
        name = f"0000-{number}.csv.gz"
        (data / name).write_bytes(body)
        checksum = md5(body, usedforsecurity=False).hexdigest()
        key = f"inventory/log-bucket/weekly/data/{name}"
        named.append({"key": key, "size": len(body), "MD5checksum": checksum})
    manifest = folder / "2026-11-22T01-00Z" / "manifest.json"
    manifest.parent.mkdir()
    document = {
        "sourceBucket": "log-bucket",
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "creationTimestamp": "1795309200000",
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": named,
    }
    manifest.write_text(json.dumps(document | changes))
    return manifest


def sealed_rows(sealed) -> list[Row]:
    listed = json.loads(sealed.versions.read_text())["Versions"]
    return [(each["Key"], each["VersionId"], False) for each in listed]


def test_an_inventory_of_what_was_sealed_is_right_in_any_number_of_files(small, tmp_path):
    rows = sealed_rows(small)
    halves = [gzip.compress(csv_of(each)) for each in (rows[:5], rows[5:])]
    assert check(small, versions=inventory(tmp_path / "i", halves)) == set()


def test_what_is_newer_than_the_inventory_is_not_missing(small, tmp_path):
    older = [gzip.compress(csv_of(sealed_rows(small)[:-3]))]
    assert check(small, versions=inventory(tmp_path / "i", older)) == set()


@pytest.mark.parametrize("odd", ["a stranger", "a second version", "a delete marker", "replaced"])
def test_whatever_is_beside_the_sealed_versions_is_said(small, tmp_path, odd):
    rows = sealed_rows(small)
    key = rows[3][0]
    match odd:
        case "a stranger":
            key = "elsewhere/a b=ü.csv"
            rows.append((key, "v", False))
        case "a second version":
            rows.append((key, "second", False))
        case "a delete marker":
            rows.append((key, "marker", True))
        case "replaced":
            rows[3] = (key, "another", False)
    versions = inventory(tmp_path / "i", [gzip.compress(csv_of(rows))])
    assert check(small, versions=versions) == {key}


GOOD = csv_of([("confirmed/x", "v", False)])


@pytest.mark.parametrize(
    ("bodies", "changes"),
    [
        ([GOOD], {}),
        ([gzip.compress(GOOD)[:-9]], {}),
        ([gzip.compress(GOOD.replace(b'"v",', b""))], {}),
        ([gzip.compress(GOOD.replace(b'"false"', b'"perhaps"'))], {}),
        ([gzip.compress(b"x" * LINE_MAX_BYTES)], {}),
        ([gzip.compress(b"\xff\n")], {}),
        ([gzip.compress(b'"\n')], {}),
        ([gzip.compress(b"\n")], {}),
        ([gzip.compress(GOOD.replace(b"log-bucket", b"other-bucket"))], {}),
        ([gzip.compress(b"")], {}),
        ([], {}),
        ([gzip.compress(GOOD)], {"sourceBucket": "other-bucket"}),
        ([gzip.compress(GOOD)], {"sourceBucket": None}),
        ([], {"fileFormat": "ORC"}),
        ([], {"fileSchema": "Bucket, Key"}),
        ([], {"fileSchema": 7}),
        ([], {"files": [{"key": "../../x.csv.gz/..", "MD5checksum": ""}]}),
        ([], {"files": [{"key": "data/gone.csv.gz", "MD5checksum": ""}]}),
        ([], {"files": [{}]}),
        ([], {"files": 7}),
    ],
)
def test_an_inventory_that_s3_did_not_write_is_said(small, tmp_path, bodies, changes):
    versions = inventory(tmp_path / "i", bodies, **changes)
    assert check(small, versions=versions) == {str(versions)}


def test_a_data_file_that_was_changed_is_said(small, tmp_path):
    versions = inventory(tmp_path / "i", [gzip.compress(GOOD)])
    (tmp_path / "i" / "data" / "0000-0.csv.gz").write_bytes(gzip.compress(b""))
    assert check(small, versions=versions) == {str(versions)}


def test_a_listing_of_another_bucket_is_said(small, tmp_path):
    document = json.loads(small.versions.read_text())
    for name, places in (("log-bucket", set()), ("other", {str(tmp_path / "v.json")})):
        (tmp_path / "v.json").write_text(json.dumps(document | {"Name": name}))
        assert check(small, versions=tmp_path / "v.json") == places
