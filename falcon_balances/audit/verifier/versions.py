"""Checks the versions of the log's objects, as `aws s3api list-object-versions` printed them or an
S3 Inventory lists them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .files import VERSIONS_MAX_BYTES, read_plain
from .findings import Discrepancy, NotWrittenSoError
from .inventory import ListedVersion, is_inventory, versions_in


def wrong_versions(file: Path, version_ids: Mapping[str, str], bucket: str) -> list[Discrepancy]:
    """Checks that each sealed key has only the sealed version, and no delete marker.

    `bucket` is the log's, by the manifests' heads. An inventory names its bucket, and so can a
    listing: that of another bucket is refused.

    An inventory is older than the newest objects, so a sealed version is reported as missing only
    if a listing lacks it. The check of the objects finds missing objects in any case.
    """
    sealed: Mapping[str, str] = {}
    try:
        document = json.loads(read_plain(file, VERSIONS_MAX_BYTES))
        if is_inventory(document):
            listed = list(_odd_in(versions_in(file, document, bucket), version_ids))
        elif document.get("Name", bucket) != bucket:
            return [Discrepancy(str(file), f"the listing is not of the bucket {bucket}")]
        else:
            listed, sealed = list(_listed_in(document)), version_ids
    except OSError as error:
        return [Discrepancy(str(file), f"unreadable: {error.strerror}")]
    except NotWrittenSoError as error:
        return [Discrepancy(str(file), str(error))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        said = "not the output of aws s3api list-object-versions, and not an inventory's manifest"
        return [Discrepancy(str(file), said)]
    return [
        *(Discrepancy(each.key, "it has a delete marker") for each in listed if each.is_marker),
        *_other_versions(listed, version_ids),
        *_not_listed(listed, sealed),
    ]


def _listed_in(document: Mapping[str, Any]) -> Iterator[ListedVersion]:
    for each in document.get("Versions") or []:
        yield ListedVersion(str(each["Key"]), str(each["VersionId"]), is_marker=False)
    for each in document.get("DeleteMarkers") or []:
        yield ListedVersion(str(each["Key"]), "", is_marker=True)


def _odd_in(
    listed: Iterable[ListedVersion], version_ids: Mapping[str, str]
) -> Iterator[ListedVersion]:
    """The versions that were not sealed. Nearly all were, so the rest fits into memory."""
    for each in listed:
        if each.is_marker or version_ids.get(each.key) != each.version_id:
            yield each


def _other_versions(
    listed: Iterable[ListedVersion], version_ids: Mapping[str, str]
) -> Iterator[Discrepancy]:
    """Reports versions that were not sealed."""
    for key, version_id, is_marker in listed:
        sealed = version_ids.get(key)
        if is_marker or sealed == version_id:
            continue
        said = f"a second version, {version_id}, besides the one that was sealed"
        yield Discrepancy(
            key, f"version {version_id} is in no manifest" if sealed is None else said
        )


def _not_listed(
    listed: Iterable[ListedVersion], version_ids: Mapping[str, str]
) -> Iterator[Discrepancy]:
    seen = {each.key for each in listed if version_ids.get(each.key) == each.version_id}
    for key, sealed in version_ids.items():
        if key not in seen:
            yield Discrepancy(key, f"the sealed version, {sealed}, is not listed")
