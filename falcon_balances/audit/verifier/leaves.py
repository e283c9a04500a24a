"""Checks leaves of manifests against the objects of the log that they seal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from .files import MANIFEST_MAX_BYTES, NO_LINK, OBJECT_MAX_BYTES, read_plain, read_small
from .findings import Discrepancy, NotWrittenSoError, Problems
from .hashing import leaf_hash, read_json, tree_root
from .keys import KEY_PATTERN, event_of, is_numbered, read_key
from .objects import SUM_MAX, lines_of_body, read_amount
from .rows import TYPES
from .sums import Item, Stood, Tallies, add_all, added_up, at_scale, stood_of

OBJECT_FIELDS = {"leaf", "key", "version_id", "size", "sha256", "lines", "sums"}
FLAWED_FIELDS = OBJECT_FIELDS | {"flaw"}
# The beginning and end of an object's leaf in which nothing is escaped.
LEAF_KEY = re.compile(rf'\{{"key":"(?P<key>{KEY_PATTERN})",')
LEAF_END = re.compile(r'(?P<version>[ !#-\[\]-~]*)"\}\Z')
# No object has more lines or bytes than this: S3's maximum is lower.
COUNT_MAX = 10**15
FLAW_SHOWN_MAX = 200

# A leaf of an object: its line in the manifest, key, version, and event (empty for a foreign key).
# A plain tuple, because there is one per object.
Noted = tuple[int, str, str, str]


@dataclass(slots=True)
class CheckedLeaves:
    """The result of a slice of leaves."""

    root: bytes
    """The root of the tree of these leaves."""
    problems: Problems = field(default_factory=Problems)
    noted: list[Noted] = field(default_factory=list)
    objects: int = 0
    lines: int = 0
    sums: dict[str, Tallies] = field(default_factory=dict)
    """Sums by merchant, according to the leaves."""
    unfound: dict[str, Tallies] = field(default_factory=dict)
    """Sums by merchant, of objects that are missing or differ from their leaf."""
    stood: dict[str, list[Stood]] = field(default_factory=dict)
    """Standings by merchant, of the objects in `sums`."""
    unstood: dict[str, list[Stood]] = field(default_factory=dict)
    """Standings by merchant, of the objects in `unfound`."""
    merchants: dict[str, list[bytes]] = field(default_factory=dict)
    """The hashes of objects' leaves by merchant, in order."""
    strays: list[tuple[str, str]] = field(default_factory=list)
    """Keys whose bytes differ from the sealed ones, with the SHA-256 of the present bytes."""
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Keys without an object, with the SHA-256 that was sealed."""
    unread: int = 0
    """The number of leaves that cannot be read and therefore do not count."""
    unsummed: set[str] = field(default_factory=set)
    """Merchants that have a leaf with unreadable sums."""


def check_leaves(
    log: str | None, place: str, first: int, leaves: Sequence[bytes], others: int = 0
) -> CheckedLeaves:
    """Checks each leaf, and the object that it seals; `log` is None without objects.

    `first`: the line of the first leaf in its manifest. `others`: how many leaves at the beginning
    do not seal objects; only their hashes are used.
    """
    hashes = list(map(leaf_hash, leaves))
    checked = CheckedLeaves(tree_root(hashes))
    right: dict[str, list[Item]] = {}
    for number, leaf in enumerate(leaves[others:], start=first + others):
        merchant = None if log is None else is_as_expected(log, number, leaf, checked, right)
        if merchant is None:
            merchant = check_leaf(log, f"{place}, line {number}", number, leaf, checked)
        if merchant is not None:
            checked.merchants.setdefault(merchant, []).append(hashes[number - first])
    for merchant, lines in right.items():
        add_all(checked.sums.setdefault(merchant, {}), added_up(lines))
    return checked


def is_as_expected(
    log: str, number: int, leaf: bytes, checked: CheckedLeaves, right: dict[str, list[Item]]
) -> str | None:
    """The merchant, if the leaf equals the one that its object would get: then both are right.

    Nearly every leaf does, which saves parsing it. If None, nothing is recorded yet.
    Whether the object is a plain file is checked later, for all files.
    """
    text = leaf.decode("latin-1")
    named = LEAF_KEY.match(text)
    if named is None or not is_numbered(named):
        return None
    key, merchant = named.group("key", "merchant")
    try:
        body = read_small(f"{log}/{key}")
        lines = lines_of_body(named, body)
    except (OSError, NotWrittenSoError):
        return None
    sums = [
        f'["{shop}","{currency}","{stage}","{kind}","{at_scale(minor, decimals)}",{count}]'
        for (shop, currency, stage, kind), (minor, decimals, count) in sorted(
            added_up(lines).items()
        )
    ]
    written = ",".join(sums)
    digest = sha256(body).hexdigest()
    expected = (
        f'{{"key":"{key}","leaf":"object","lines":{len(lines)},"sha256":"{digest}",'
        f'"size":{len(body)},"sums":[{written}],"version_id":"'
    )
    end = LEAF_END.match(text, len(expected))
    if end is None or not text.startswith(expected):
        return None
    checked.noted.append((number, key, end["version"], event_of(named)))
    checked.objects += 1
    checked.lines += len(lines)
    right.setdefault(merchant, []).extend(lines)
    checked.stood.setdefault(merchant, []).extend(stood_of(named["operation"], lines))
    return merchant


def check_leaf(
    log: str | None, place: str, number: int, leaf: bytes, checked: CheckedLeaves
) -> str | None:
    """Parses the leaf, and reports what is wrong with it or its object. Returns the merchant, or
    None if the leaf cannot be read.
    """
    try:
        sealed = read_object_leaf(leaf)
    except NotWrittenSoError as error:
        checked.problems.append(Discrepancy(place, str(error)))
        checked.unread += 1
        return None
    key = sealed["key"]
    named = read_key(key)
    merchant, event = ("", "") if named is None else (named["merchant"], event_of(named))
    checked.noted.append((number, key, sealed["version_id"], event))
    sums = None
    stood: list[Stood] = []
    try:
        sums = sums_of_leaf(sealed)
        add_all(checked.sums.setdefault(merchant, {}), sums)
        if named is not None:
            stood = stood_of(named["operation"], sums.items())
            checked.stood.setdefault(merchant, []).extend(stood)
    except NotWrittenSoError as error:
        checked.problems.append(Discrepancy(place, str(error)))
        checked.unsummed.add(merchant)
    if "flaw" in sealed:
        said = f"it was flawed when it was sealed: {str(sealed['flaw'])[:FLAW_SHOWN_MAX]}"
        checked.problems.append(Discrepancy(key, said))
    if log is not None and not check_object(log, named, sealed, sums, checked) and sums:
        add_all(checked.unfound.setdefault(merchant, {}), sums)
        checked.unstood.setdefault(merchant, []).extend(stood)
    return merchant


def read_object_leaf(leaf: bytes) -> dict[str, Any]:
    """The leaf's fields, with names and hash checked, but not its counts."""
    document = read_json(leaf)
    if document.get("leaf") != "object" or not OBJECT_FIELDS <= set(document) <= FLAWED_FIELDS:
        raise NotWrittenSoError("not the leaf of an object")
    if not all(type(document[name]) is str for name in ("key", "version_id", "sha256")):
        raise NotWrittenSoError("a field of the leaf has the wrong type")
    return document


def sums_of_leaf(document: Mapping[str, Any]) -> Tallies:
    """The leaf's sums. Raises NotWrittenSoError if their format is wrong."""
    size, lines, written = document["size"], document["lines"], document["sums"]
    if type(size) is not int or type(lines) is not int or type(written) is not list:
        raise NotWrittenSoError("a field of the leaf has the wrong type")
    if not 0 <= size < COUNT_MAX or not 0 <= lines < COUNT_MAX:
        raise NotWrittenSoError("a count is out of range")
    sums = dict(map(read_sum, written))
    if len(sums) != len(written) or sum(count for _, _, count in sums.values()) != lines:
        raise NotWrittenSoError("its sums do not cover its lines, or one is given twice")
    if "flaw" in document and (lines or type(document["flaw"]) is not str):
        raise NotWrittenSoError("a flawed object must not have lines or sums")
    return sums


def read_sum(written: Sequence[Any]) -> Item:
    try:
        shop, currency, stage, kind, amount, lines = written
        right = (
            kind in TYPES.get(stage, ())
            and type(shop) is type(currency) is type(amount) is str
            and type(lines) is int
        )
    except (TypeError, ValueError) as error:
        raise NotWrittenSoError("a sum does not have the required form") from error
    if not right or not 1 <= lines < COUNT_MAX:
        raise NotWrittenSoError("a sum does not have the required form")
    return (shop, currency, stage, kind), (*read_amount(amount, SUM_MAX), lines)


def check_object(
    log: str,
    named: re.Match[str] | None,
    sealed: Mapping[str, Any],
    sums: Tallies | None,
    checked: CheckedLeaves,
) -> bool:
    """Whether the object of a leaf exists with the same bytes and sums.

    Without `sums`, whose leaf is already reported, size and sums are not compared.
    """
    key = sealed["key"]
    if named is None:
        checked.problems.append(Discrepancy(key, "sealed, but not a key of the log"))
        return False
    try:
        body = read_plain(f"{log}/{key}", OBJECT_MAX_BYTES, NO_LINK)
    except FileNotFoundError:
        checked.missing.append((key, sealed["sha256"]))
        return False
    except OSError as error:
        checked.problems.append(Discrepancy(key, f"unreadable: {error.strerror}"))
        return False
    checked.objects += 1
    digest = sha256(body).hexdigest()
    if digest != sealed["sha256"] or (sums is not None and len(body) != sealed["size"]):
        checked.strays.append((key, digest))
        return False
    if sums is None or "flaw" in sealed:
        return False
    return adds_up(named, body, sealed["lines"], sums, checked)


def adds_up(
    named: re.Match[str],
    body: bytes,
    sealed_lines: int,
    sealed_sums: Tallies,
    checked: CheckedLeaves,
) -> bool:
    try:
        lines = lines_of_body(named, body)
    except NotWrittenSoError as error:
        checked.problems.append(Discrepancy(named.string, str(error)))
        return False
    checked.lines += len(lines)
    if len(lines) == sealed_lines and added_up(lines) == sealed_sums:
        return True
    checked.problems.append(Discrepancy(named.string, "its lines do not add up to what was sealed"))
    return False


def keys_sealed_as(digests: set[str], manifests: Iterable[Path]) -> dict[str, str]:
    """The sealed keys of these SHA-256 digests. Raises OSError if a manifest has disappeared."""
    keys: dict[str, str] = {}
    for path in manifests:
        for line in read_plain(path, MANIFEST_MAX_BYTES).split(b"\n"):
            try:
                sealed = read_object_leaf(line)
            except NotWrittenSoError:
                continue
            if sealed["sha256"] in digests:
                keys[sealed["sha256"]] = sealed["key"]
    return keys
