"""Decodes raw bytes into one JSON object; nothing is corrected silently (design §4, last rule)."""

import json
from typing import Final, NoReturn

from falcon_balances.domain.errors import RejectedOperation, RejectionCode

MESSAGE_BYTES_MAX: Final = 64 * 1024
NESTING_MAX: Final = 8


class JsonNumber:
    """Stands for every JSON number except whole ones of up to two digits: no field accepts it."""


_NUMBER: Final = JsonNumber()
_DIGITS_MAX: Final = 2


def decode(raw: bytes) -> dict[str, object]:
    """The object in `raw`. Raises RejectedOperation: E_SIZE, E_JSON, E_DUP_KEY or E_DEPTH, checked
    in this order.
    """
    if len(raw) > MESSAGE_BYTES_MAX:
        raise RejectedOperation(
            RejectionCode.SIZE, f"message: larger than {MESSAGE_BYTES_MAX} bytes"
        )
    value, has_repeated_key = _parse(raw)
    if not isinstance(value, dict):
        raise RejectedOperation(RejectionCode.JSON, "message: must be one JSON object")
    if has_repeated_key:
        raise RejectedOperation(RejectionCode.DUP_KEY, "message: an object has the same key twice")
    # Each level needs a bracket, so the depth of an event with few brackets need not be measured.
    if raw.count(b"{") + raw.count(b"[") > NESTING_MAX and _is_too_deep(value):
        raise _too_deep()
    return value


def decode_numbers(raw: bytes) -> dict[str, object]:
    """Like `decode`, but whole numbers of any length are read; fractions stay a JsonNumber."""
    decode(raw)
    try:
        value = json.loads(raw, parse_float=_number)
    except ValueError as error:  # a number of thousands of digits
        raise _no_json() from error
    assert isinstance(value, dict)  # noqa: S101 - else `decode` had refused it
    return value


def _parse(raw: bytes) -> tuple[object, bool]:
    """The value, and whether a key came twice in an object; reads the whole text either way."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _no_json() from error
    try:
        try:
            value, has_repeated_key = _UNIQUE_KEYS.decode(text), False
        except _RepeatedKeyError:
            value, has_repeated_key = _ANY_KEYS.decode(text), True
        if "\\u" in text:  # an escape can hold half a surrogate pair, which UTF-8 cannot encode
            everything = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
            json.dumps(everything, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        # The parser gives up at hundreds of levels, far beyond our limit. A text that is not an
        # object is refused as such, before its depth.
        if not text.lstrip(" \t\r\n").startswith("{"):
            raise RejectedOperation(
                RejectionCode.JSON, "message: must be one JSON object"
            ) from None
        raise _too_deep() from None
    except ValueError as error:
        raise _no_json() from error
    return value, has_repeated_key


def _no_json() -> RejectedOperation:
    return RejectedOperation(RejectionCode.JSON, "message: must be JSON in UTF-8")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # JSON has no NaN and no Infinity


def _number(_digits: str) -> JsonNumber:
    return _NUMBER


def _whole(digits: str) -> int | JsonNumber:
    """Whole numbers for `occurrence` and `revision`: longer or negative numbers are never valid."""
    return int(digits) if len(digits) <= _DIGITS_MAX and digits.isdecimal() else _NUMBER


class _RepeatedKeyError(Exception):
    """An object has the same key twice."""


def _with_unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise _RepeatedKeyError
    return built


# Made once: with hooks, `json.loads` makes a new decoder for each text.
_ANY_KEYS: Final = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=_whole, parse_float=_number
)
_UNIQUE_KEYS: Final = json.JSONDecoder(
    object_pairs_hook=_with_unique_keys,
    parse_constant=_refuse_constant,
    parse_int=_whole,
    parse_float=_number,
)


def _too_deep() -> RejectedOperation:
    return RejectedOperation(
        RejectionCode.DEPTH, f"message: nested deeper than {NESTING_MAX} levels"
    )


def _is_too_deep(value: object) -> bool:
    """Goes level by level, so that no depth can exhaust the stack."""
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
