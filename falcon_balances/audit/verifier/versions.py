"""Checks the versions of the log's objects, as `aws s3api list-object-versions` printed them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from .files import VERSIONS_MAX_BYTES, read_plain
from .findings import Discrepancy, NotWrittenSoError


def wrong_versions(file: Path, version_ids: Mapping[str, str]) -> list[Discrepancy]:
    """Checks that each sealed key has only the sealed version, and no delete marker."""
    try:
        versions, markers = _listed_in(file)
    except NotWrittenSoError as error:
        return [Discrepancy(str(file), str(error))]
    return [
        *(Discrepancy(key, "it has a delete marker") for key in markers),
        *_other_versions(versions, version_ids),
    ]


def _listed_in(file: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Keys with their versions, and keys with a delete marker. Raises NotWrittenSoError."""
    try:
        listed = json.loads(read_plain(file, VERSIONS_MAX_BYTES))
        versions = [
            (str(each["Key"]), str(each["VersionId"])) for each in listed.get("Versions") or []
        ]
        markers = [str(each["Key"]) for each in listed.get("DeleteMarkers") or []]
    except OSError as error:
        raise NotWrittenSoError(f"unreadable: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotWrittenSoError("not the output of aws s3api list-object-versions") from error
    return versions, markers


def _other_versions(
    versions: Iterable[tuple[str, str]], version_ids: Mapping[str, str]
) -> list[Discrepancy]:
    """Reports versions that were not sealed, and sealed versions that are not listed."""
    found = []
    seen = set()
    for key, version_id in versions:
        sealed = version_ids.get(key)
        if sealed is None:
            found.append(Discrepancy(key, f"version {version_id} is in no manifest"))
        elif sealed != version_id:
            said = f"a second version, {version_id}, besides the one that was sealed"
            found.append(Discrepancy(key, said))
        else:
            seen.add(key)
    found += [
        Discrepancy(key, f"the sealed version, {sealed}, is not listed")
        for key, sealed in version_ids.items()
        if key not in seen
    ]
    return found
