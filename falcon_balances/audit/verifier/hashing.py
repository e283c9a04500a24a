"""Hashes, Merkle trees, signatures, and canonical JSON."""

import base64
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .files import LINE_MAX_BYTES
from .findings import NotWrittenSoError

NOT_SIGNED = "its signature is missing or of another key, or its head was changed"
# The format has three levels.
DEPTH_MAX = 16
# Created once: json.dumps and json.loads would create a new one for each call.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_DECODER = json.JSONDecoder()


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def tree_root(level: Sequence[bytes]) -> bytes:
    """The root of leaf hashes (RFC 9162, 2.1.1), level by level; a node without a sibling moves up
    unchanged.
    """
    if not level:
        return sha256(b"").digest()
    while len(level) > 1:
        paired = [
            sha256(b"\x01" + level[each] + level[each + 1]).digest()
            for each in range(0, len(level) - 1, 2)
        ]
        level = paired + list(level[len(paired) * 2 :])
    return level[0]


def load_public_key(text: bytes) -> ec.EllipticCurvePublicKey:
    """The public key in a PEM or DER text. Raises NotWrittenSoError unless it is on P-256."""
    load = (
        serialization.load_pem_public_key if b"-----" in text else serialization.load_der_public_key
    )
    try:
        key = load(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotWrittenSoError("the public key cannot be read: PEM or DER is required") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise NotWrittenSoError("the public key is not on the curve P-256")
    return key


def is_signed(head: bytes, signature_line: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    """Whether the key signed the head; False also for a line that is not a canonical signature."""
    try:
        document = read_json(signature_line)
        text = document["signature"]
        if document != {"algorithm": "ECDSA_SHA_256", "signature": text}:
            return False
        signature = base64.b64decode(text, validate=True)
        if base64.b64encode(signature).decode() != text:
            return False
        key.verify(signature, head, ec.ECDSA(hashes.SHA256()))
    # b64decode raises ValueError for text that is not ASCII; binascii.Error is a ValueError too.
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return True


def canonical(document: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(document).encode()


def read_json(line: bytes) -> dict[str, Any]:
    """The JSON object in a line. Raises NotWrittenSoError if it is not in canonical form, too long
    or too deep.
    """
    if len(line) > LINE_MAX_BYTES:
        raise NotWrittenSoError(f"longer than {LINE_MAX_BYTES} bytes")
    try:
        document = _DECODER.decode(line.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise NotWrittenSoError("not JSON") from error
    if line.count(b"[") + line.count(b"{") > DEPTH_MAX and is_deep(document):
        raise NotWrittenSoError("lists in lists, deeper than the format has them")
    if not isinstance(document, dict) or canonical(document) != line:
        raise NotWrittenSoError("JSON, but not in canonical form")
    return document


def is_deep(document: Any) -> bool:  # noqa: ANN401 - unchecked JSON
    """Whether it is nested too deep to be written again from anywhere in this program."""
    level = [document]
    for _ in range(DEPTH_MAX):
        inside = [each for each in level if isinstance(each, (list, dict))]
        if not inside:
            return False
        level = [
            inner
            for each in inside
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return True
