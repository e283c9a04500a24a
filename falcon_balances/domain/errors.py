"""The errors, and the codes of design §9 in the order in which they are checked."""

from enum import StrEnum


class RejectionCode(StrEnum):
    """Why something was refused. Declared in order of precedence: the first that applies wins."""

    SIZE = "E_SIZE"
    JSON = "E_JSON"
    DUP_KEY = "E_DUP_KEY"
    DEPTH = "E_DEPTH"
    VERSION = "E_VERSION"
    SCHEMA = "E_SCHEMA"
    ID = "E_ID"
    AMOUNT = "E_AMOUNT"
    CURRENCY = "E_CURRENCY"
    SCALE = "E_SCALE"
    DATE = "E_DATE"
    FUTURE = "E_FUTURE"
    SPLIT_SUM = "E_SPLIT_SUM"
    MODE = "E_MODE"
    UNKNOWN_MERCHANT = "E_UNKNOWN_MERCHANT"
    MERCHANT_INACTIVE = "E_MERCHANT_INACTIVE"
    NO_BALANCE_SHOP = "E_NO_BALANCE_SHOP"
    NOT_PAID = "E_NOT_PAID"
    REVISION = "E_REVISION"
    ID_CONFLICT = "E_ID_CONFLICT"
    RECORD = "E_RECORD"

    @property
    def precedence(self) -> int:
        """The place of the code in the order of checks; 0 is checked first."""
        return _PRECEDENCE[self]


_PRECEDENCE = {code: position for position, code in enumerate(RejectionCode)}


class RejectedOperation(Exception):  # noqa: N818 - named as in the design
    """Refused for good: a retry would be refused again, so a person must look at it.

    `reason` names the field and the rule, never a value, because logs and metadata contain it.
    """

    def __init__(self, code: RejectionCode, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[RejectionCode, str]]:
        return (type(self), (self.code, self.reason))


class TransientError(Exception):
    """The operation is not wrong: a retry may succeed, so the message comes back."""


class IntegrityError(Exception):
    """Stored data differ from what they must be. Never retried, never overwritten: a person must
    look.
    """
