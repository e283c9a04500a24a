"""Leaves of manifests, and the objects of the log that they seal."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from .findings import NotWrittenSoError, Problem
from .hashing import leaf_hash, read_json
from .sums import Sums, Total, add, add_all, minor_units

OBJECT_KINDS = {
    "key": str,
    "version_id": str,
    "size": int,
    "sha256": str,
    "lines": int,
    "sums": list,
}
OBJECT_FIELDS = {"leaf", *OBJECT_KINDS}
HEADER = (
    b"uuid,external_reference,amount,currency,type,falcon_operation_id,operation_date,"
    b"local_merchant_id,shop_id,balance_shop_id,psp_id"
)
COLUMNS = 11
KEY = re.compile(
    r"(?P<stage>confirmed|reconciled|payout|adjustment)/"
    r"merchant_id=(?P<merchant>[A-Za-z0-9][A-Za-z0-9._:-]{0,63})/"
    r"date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/(?P<operation>[0-9a-f-]{36})"
    r"(\.(?P<part>[0-9]{1,4})-of-(?P<parts>[0-9]{1,4}))?\.csv\Z"
)
AMOUNT = re.compile(r"-?(0|[1-9][0-9]{0,29})(\.[0-9]{1,4})?\Z")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
TYPES = {
    "confirmed": {"capture", "refund", "chargeback", "chargeback_reversal", "cashback"},
    "payout": {"withdrawal", "withdrawal_reversal"},
    "adjustment": {"adjustment"},
}
TYPES["confirmed"] |= {"psp_fee", "marketplace_fee"}
TYPES["reconciled"] = TYPES["confirmed"]
IDS = uuid5(NAMESPACE_URL, "urn:falcon:balances").bytes
VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
FILES_MAX_BYTES = 64 << 20


class Noted(NamedTuple):
    """A sealed object, and the line of its manifest that says so."""

    number: int
    key: str
    version_id: str
    digest: str


@dataclass(slots=True)
class Checked:
    """What a slice of object leaves came to."""

    hashes: bytes = b""
    problems: list[Problem] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    objects: int = 0
    lines: int = 0
    sums: dict[str, Sums] = field(default_factory=dict)
    """By merchant, as the leaves say."""
    unfound: dict[str, Sums] = field(default_factory=dict)
    """Of these, those of objects whose bytes do not say the same."""
    merchants: dict[str, int] = field(default_factory=dict)
    """Objects of each merchant, as the leaves say."""
    strays: list[tuple[str, str]] = field(default_factory=list)
    """Keys whose bytes are others than were sealed, with the SHA-256 of what lies there."""
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Keys without an object, with the SHA-256 that was sealed."""


def check_leaves(log: str | None, place: str, first: int, leaves: Sequence[bytes]) -> Checked:
    """Each leaf, and the object that it seals; `log` is None where there are no objects to look at.

    `first` is the number of the first leaf's line in its manifest.
    """
    checked = Checked(hashes=b"".join(map(leaf_hash, leaves)))
    for number, leaf in enumerate(leaves, start=first):
        try:
            sealed = read_object_leaf(leaf)
            sums = sums_of_leaf(sealed)
        except NotWrittenSoError as error:
            checked.problems.append(Problem(f"{place}, line {number}", str(error)))
            continue
        noted = Noted(number, sealed["key"], sealed["version_id"], sealed["sha256"])
        checked.noted.append(noted)
        merchant = merchant_of(sealed["key"])
        checked.merchants[merchant] = checked.merchants.get(merchant, 0) + 1
        add_all(checked.sums.setdefault(merchant, {}), sums)
        if log is not None and not check_object(log, sealed, sums, checked):
            add_all(checked.unfound.setdefault(merchant, {}), sums)
    return checked


def read_object_leaf(leaf: bytes) -> dict[str, Any]:
    document = read_json(leaf)
    if document.get("leaf") != "object" or not OBJECT_FIELDS <= set(document) <= OBJECT_FIELDS | {
        "flaw"
    }:
        raise NotWrittenSoError("no leaf of an object")
    if [type(document[name]) for name in OBJECT_KINDS] != list(OBJECT_KINDS.values()):
        raise NotWrittenSoError("a field of the leaf has another type")
    return document


def sums_of_leaf(document: Mapping[str, Any]) -> Sums:
    """Raises NotWrittenSoError."""
    sums: Sums = {}
    for each in document["sums"]:
        try:
            shop, currency, stage, kind, amount, lines = each
            if kind not in TYPES.get(stage, ()) or not AMOUNT.match(amount):
                raise NotWrittenSoError("a sum of another form")
            if not all(type(each) is str for each in (shop, currency)) or type(lines) is not int:
                raise NotWrittenSoError("a sum of another form")
        except (TypeError, ValueError) as error:
            raise NotWrittenSoError("a sum of another form") from error
        sums[shop, currency, stage, kind] = Total(*minor_units(amount), lines)
    return sums


def check_object(log: str, sealed: Mapping[str, Any], sums: Sums, checked: Checked) -> bool:
    """The object that a leaf seals: is it there, are its bytes the same, do they add up so?"""
    key = sealed["key"]
    named = KEY.match(key)
    if "flaw" in sealed:
        checked.problems.append(Problem(key, f"it was flawed when it was sealed: {sealed['flaw']}"))
    if named is None:
        checked.problems.append(Problem(key, "sealed, and no key of the log"))
        return False
    try:
        body = read_file(f"{log}/{key}")
    except FileNotFoundError:
        checked.missing.append((key, sealed["sha256"]))
        return False
    except OSError as error:
        checked.problems.append(Problem(key, f"unreadable: {error.strerror}"))
        return False
    checked.objects += 1
    digest = sha256(body).hexdigest()
    if digest != sealed["sha256"] or len(body) != sealed["size"]:
        checked.strays.append((key, digest))
        return False
    return "flaw" not in sealed and adds_up(named, body, sealed["lines"], sums, checked)


def adds_up(
    named: re.Match[str], body: bytes, sealed_lines: int, sealed_sums: Sums, checked: Checked
) -> bool:
    try:
        found, lines = sums_of_body(named, body)
    except NotWrittenSoError as error:
        checked.problems.append(Problem(named.string, str(error)))
        return False
    checked.lines += lines
    if found == sealed_sums and lines == sealed_lines:
        return True
    checked.problems.append(Problem(named.string, "its lines do not add up to what was sealed"))
    return False


def sums_of_body(named: re.Match[str], body: bytes) -> tuple[Sums, int]:
    """What an object's lines add up to, every one of them checked. Raises NotWrittenSoError."""
    stage, merchant, day, operation = named.group("stage", "merchant", "day", "operation")
    header, *rows = body.split(b"\n")
    if header != HEADER or len(rows) < 2 or rows.pop() != b"":  # noqa: PLR2004
        raise NotWrittenSoError("header or line end missing")
    sums: Sums = {}
    numbers: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows, start=2):
        try:
            fields = row.decode("ascii").split(",")
        except UnicodeDecodeError as error:
            raise NotWrittenSoError(f"line {number}: a character that no field has") from error
        if len(fields) != COLUMNS:
            raise NotWrittenSoError(f"line {number}: {len(fields)} columns")
        uuid, _, amount, currency, kind, of, date, _, _, shop, _ = fields
        if not AMOUNT.match(amount) or not DATE.match(date) or kind not in TYPES[stage]:
            raise NotWrittenSoError(f"line {number}: amount, date or type")
        if of != operation or date[:10] != day:
            raise NotWrittenSoError(f"line {number}: another operation or day than its key's")
        n = numbers.get((shop, kind), 0)
        numbers[shop, kind] = n + 1
        if uuid != line_uuid(f"{of}|{stage}|{merchant}|{shop}|{kind}|{n}"):
            raise NotWrittenSoError(f"line {number}: its uuid is not made of what it says")
        add(sums, (shop, currency, stage, kind), Total(*minor_units(amount), 1))
    return sums, len(rows)


def line_uuid(name: str) -> str:
    """UUID version 5 (RFC 9562) as a text: version and variant set, and no object made."""
    text = sha1(IDS + name.encode(), usedforsecurity=False).hexdigest()
    variant = VARIANTS[text[16]]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def merchant_of(key: str) -> str:
    named = KEY.match(key)
    return "" if named is None else named["merchant"]


def read_file(path: str) -> bytes:
    """No link is followed, no device read, and nothing larger than any object can be."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        body = os.read(file, 1 << 16)
        while len(body) >= 1 << 16 and (more := os.read(file, 1 << 20)):
            body += more
            if len(body) > FILES_MAX_BYTES:
                raise OSError(0, "too large for an object of the log")
    finally:
        os.close(file)
    return body
