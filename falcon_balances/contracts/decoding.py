"""From raw bytes to one JSON object, with nothing silently mended (design §4, last rule)."""

import json
from typing import Final, NoReturn

from falcon_balances.domain.errors import RejectedOperation, RejectionCode

MESSAGE_BYTES_MAX: Final = 64 * 1024
NESTING_MAX: Final = 8


class JsonNumber:
    """Stands for any JSON number: no field of ours takes one, so its digits are never read."""


_NUMBER: Final = JsonNumber()


class _DuplicateKeys:
    """Builds objects and remembers whether a key came twice; the whole text is still read."""

    def __init__(self) -> None:
        self.found = False

    def build(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        self.found = self.found or len(built) != len(pairs)
        return built


def decode(raw: bytes) -> dict[str, object]:
    """Raises RejectedOperation: E_SIZE, E_JSON, E_DUP_KEY or E_DEPTH, in this order."""
    if len(raw) > MESSAGE_BYTES_MAX:
        raise RejectedOperation(
            RejectionCode.SIZE, f"message: larger than {MESSAGE_BYTES_MAX} bytes"
        )
    duplicates = _DuplicateKeys()
    value = _parse(raw, duplicates)
    if not isinstance(value, dict):
        raise RejectedOperation(RejectionCode.JSON, "message: not a JSON object")
    if duplicates.found:
        raise RejectedOperation(RejectionCode.DUP_KEY, "message: a key comes twice in one object")
    if _is_too_deep(value):
        raise _too_deep()
    return value


def _parse(raw: bytes, duplicates: _DuplicateKeys) -> object:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _no_json() from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=duplicates.build,
            parse_constant=_refuse_constant,
            parse_int=_number,
            parse_float=_number,
        )
        if "\\u" in text:  # an escape can smuggle in half a surrogate pair, which is no text
            everything = json.loads(text, object_pairs_hook=list)
            json.dumps(everything, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        # The parser gives up hundreds of levels down, far beyond our limit; what is no object
        # would have been refused as such before its depth was looked at.
        if not text.lstrip(" \t\r\n").startswith("{"):
            raise RejectedOperation(RejectionCode.JSON, "message: not a JSON object") from None
        raise _too_deep() from None
    except ValueError as error:
        raise _no_json() from error
    return value


def _no_json() -> RejectedOperation:
    return RejectedOperation(RejectionCode.JSON, "message: not JSON in UTF-8")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _number(_digits: str) -> JsonNumber:
    return _NUMBER


def _too_deep() -> RejectedOperation:
    return RejectedOperation(
        RejectionCode.DEPTH, f"message: nested deeper than {NESTING_MAX} levels"
    )


def _is_too_deep(value: object) -> bool:
    """Level by level, so that no depth can exhaust the stack."""
    level = [value]
    for _ in range(NESTING_MAX):
        children = [child for container in level for child in _children(container)]
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(container: object) -> list[object]:
    if isinstance(container, dict):
        return list(container.values())
    return container if isinstance(container, list) else []
