"""Strict models, and how pydantic's errors become one code and a reason (design §9)."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from falcon_balances.contracts.currencies import find_currency, written_currency
from falcon_balances.contracts.formats import (
    AMOUNT_PATTERN,
    CURRENCY_PATTERN,
    FINGERPRINT_PATTERN,
    ID_PATTERN,
    REFERENCE_PATTERN,
    WORDS,
    expected,
)
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.instants import RFC3339_PATTERN, parse_rfc3339

_AMOUNT_FIELDS: Final = frozenset(
    {"amount", "minimum_amount", "marketplace_fee", "percent", "fixed", "min", "max"}
)
ZERO_IN_A_REVISION: Final = "Above zero; in a revision it may be zero."
# The JSON Schema of an amount above zero.
ABOVE_ZERO: Final[dict[str, JsonValue]] = {"not": {"pattern": "^[0.]*$"}}
# The validation context of a revision's document.
REVISION: Final = "revision"
YEAR_MIN: Final = 2000
_SAYABLE = re.compile(r"(?:[a-z][a-z_]{0,39}|[A-Z]{3})\Z")
_KEY = "[key]"  # pydantic's suffix of a location where the key of a map is wrong


def _above_zero(amount: str) -> str:
    if not amount.strip("0."):
        raise PydanticCustomError("E_AMOUNT", "must be above zero")
    return amount


def unknown_currency() -> PydanticCustomError:
    return PydanticCustomError("E_CURRENCY", "unknown currency (ISO 4217)")


def _above_zero_unless_revised(amount: str, info: ValidationInfo) -> str:
    """A revision gives the amount that is left, which may be zero (design §4)."""
    return amount if info.context == REVISION else _above_zero(amount)


def _known_currency(code: str) -> str:
    if find_currency(code) is None:
        raise unknown_currency()
    return code


def _written_currency(code: str) -> str:
    if written_currency(code) is None:
        raise PydanticCustomError("E_CURRENCY", "unknown currency (ISO 4217)")
    return code


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Reference = Annotated[str, StringConstraints(pattern=REFERENCE_PATTERN)]
Fingerprint = Annotated[str, StringConstraints(pattern=FINGERPRINT_PATTERN)]
AmountOrZero = Annotated[str, StringConstraints(pattern=AMOUNT_PATTERN)]
Amount = Annotated[AmountOrZero, AfterValidator(_above_zero)]
AmountOfTruth = Annotated[
    AmountOrZero,
    AfterValidator(_above_zero_unless_revised),
    Field(description=ZERO_IN_A_REVISION),
]
CurrencyCode = Annotated[
    str, StringConstraints(pattern=CURRENCY_PATTERN), AfterValidator(_known_currency)
]
# An event that completes an earlier one can still be in a currency that has left ISO 4217.
WrittenCurrencyCode = Annotated[
    str, StringConstraints(pattern=CURRENCY_PATTERN), AfterValidator(_written_currency)
]
# Checked as text here and parsed by `parse_date`, because E_SCALE must be checked before E_DATE.
DateText = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "pattern": RFC3339_PATTERN})
]


def _refuse_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError("null", "must not be null")
    return value


T = TypeVar("T")
# An optional field is left out, never null. pydantic validates a null, but not a default.
Optionally = Annotated[T | None, BeforeValidator(_refuse_null)]


class StrictModel(BaseModel):
    """A model that coerces no values, and refuses unknown fields and nulls."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Self:
        """The model of a document with a `schema_version`. Raises RejectedOperation with the first
        code that applies.
        """
        if document.get("schema_version") != "1":
            raise RejectedOperation(RejectionCode.VERSION, 'schema_version: must be "1"')
        return cls.validated(document)

    @classmethod
    def misfit(cls, _document: Mapping[str, object]) -> str | None:
        """The fields that contradict each other, and why (an E_SCHEMA reason); None if none do."""
        return None

    @classmethod
    def validated(cls, document: Mapping[str, object]) -> Self:
        """The model of a document without a version. Raises RejectedOperation with the first code
        that applies.
        """
        if (misfit := cls.misfit(document)) is not None:
            raise RejectedOperation(RejectionCode.SCHEMA, misfit)
        context = REVISION if "revision" in document else None
        try:
            return cls.model_validate(document, context=context)
        except ValidationError as error:
            raise _first_rejection(error.errors(include_url=False)) from None


def _first_rejection(errors: Sequence[ErrorDetails]) -> RejectedOperation:
    rejections = [RejectedOperation(_code(error), _reason(error)) for error in errors]
    return min(rejections, key=lambda rejection: rejection.code.precedence)


def _code(error: ErrorDetails) -> RejectionCode:
    kind = error["type"]
    if kind.startswith("E_"):
        return RejectionCode(kind)
    names = [part for part in error["loc"] if isinstance(part, str)]
    if kind in {"missing", "extra_forbidden"} or not names:
        return RejectionCode.SCHEMA
    if names[-1] == _KEY:
        return RejectionCode.CURRENCY  # the keys of our maps are currencies
    if _names_amount(names):
        return RejectionCode.AMOUNT
    if kind == "string_pattern_mismatch":
        return RejectionCode.CURRENCY if names[-1] == "currency" else RejectionCode.ID
    return RejectionCode.SCHEMA


def _names_amount(names: Sequence[str]) -> bool:
    return not _AMOUNT_FIELDS.isdisjoint(names[-2:])


def _reason(error: ErrorDetails) -> str:
    field = ".".join(_sayable(part) for part in error["loc"] if part != _KEY) or "message"
    return f"{field}: {_expectation(error)}"


def _expectation(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind.startswith("E_") or kind == "null":
        return error["msg"]
    if kind == "string_type" and _names_amount([str(part) for part in error["loc"]]):
        return f"must be a JSON string: {WORDS[AMOUNT_PATTERN]}"
    return expected(error)


def _sayable(part: object) -> str:
    """Only field names and currency codes are repeated: a name that a sender made up could be
    markup or code.
    """
    if isinstance(part, int):
        return str(part)
    return str(part) if _SAYABLE.match(str(part)) else "(unknown name)"


def parse_date(text: str, field: str) -> datetime:
    """The instant in UTC. Raises RejectedOperation (E_DATE), also for dates before 2000."""
    try:
        date = parse_rfc3339(text)
    except ValueError:
        raise RejectedOperation(
            RejectionCode.DATE,
            f"{field}: must be an existing time in RFC 3339 with an offset",
        ) from None
    if date.year < YEAR_MIN:
        raise RejectedOperation(
            RejectionCode.DATE, f"{field}: must not be before the year {YEAR_MIN}"
        )
    return date
