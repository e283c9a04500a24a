"""The formats that texts must match, each with the words in which a refusal names it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from falcon_balances.domain.log_grammar import ID, REFERENCE, UUID

CURSOR_CHARACTERS_MAX: Final = 600

ID_PATTERN: Final = f"^{ID}$"
REFERENCE_PATTERN: Final = f"^{REFERENCE}$"
AMOUNT_PATTERN: Final = r"^(0|[1-9][0-9]{0,14})(\.[0-9]+)?$"
CURRENCY_PATTERN: Final = r"^[A-Z]{3}$"
FINGERPRINT_PATTERN: Final = "^[0-9a-f]{64}$"
UUID_PATTERN: Final = f"^{UUID}$"
# A quarter of an hour, in any time zone: its minutes are 00, 15, 30 or 45.
QUARTER_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:(00|15|30|45):00([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
INSTANT_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
MONTH_PATTERN: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
CURSOR_PATTERN: Final = rf"^[A-Za-z0-9_-]{{1,{CURSOR_CHARACTERS_MAX}}}$"
ZONE_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$"

# A refusal gives the words: nobody should have to read a regular expression.
WORDS: Final[Mapping[str, str]] = {
    ID_PATTERN: "1 to 64 letters, digits, dots, colons, underscores or dashes, "
    "the first a letter or a digit",
    REFERENCE_PATTERN: "1 to 128 printable ASCII characters: no space at either end, "
    "none of = + - @ at the start, no quotation mark, comma, backslash or vertical bar",
    AMOUNT_PATTERN: "up to 15 digits, optionally with a point and decimals, such as 100.00",
    CURRENCY_PATTERN: "three capital letters, such as EUR",
    FINGERPRINT_PATTERN: "64 hexadecimal digits in lower case",
    UUID_PATTERN: "a UUID of version 5 in lower case",
    QUARTER_PATTERN: "the start of a quarter of an hour, such as 2026-11-20T10:15:00Z",
    INSTANT_PATTERN: "a time with an offset, such as 2026-11-20T10:15:30Z",
    MONTH_PATTERN: "a month as YYYY-MM",
    CURSOR_PATTERN: "the next_cursor of the previous page",
    ZONE_PATTERN: "an IANA time zone, such as Europe/Paris",
}

_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "missing",
    "extra_forbidden": lambda _: "unknown field",
    "string_pattern_mismatch": lambda found: (
        f"does not match the required format: {WORDS[found['pattern']]}"
    ),
    "string_type": lambda _: "must be a JSON string",
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_parsing_size", "int_from_float"),
        lambda _: "must be a whole number",
    ),
    "literal_error": lambda found: f"must be {found['expected']}",
    "enum": lambda found: f"must be {found['expected']}",
    "greater_than_equal": lambda found: f"must be at least {found['ge']}",
    "less_than_equal": lambda found: f"must be at most {found['le']}",
    "too_short": lambda found: f"must have at least {_entries(found['min_length'])}",
    "too_long": lambda found: f"must have at most {_entries(found['max_length'])}",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be an object",
    "model_type": lambda _: "must be an object",
}


def expected(error: Mapping[str, Any]) -> str:
    """What a value must be, by pydantic's error; never the value itself, and never a pattern."""
    say = _KINDS.get(error["type"])
    return "has a value of the wrong type" if say is None else say(error.get("ctx") or {})


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
