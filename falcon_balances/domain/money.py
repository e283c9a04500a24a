"""Exact money: an integer count of a currency's minor unit, never a float."""

from dataclasses import dataclass

from falcon_balances.domain.errors import RejectedOperation, RejectionCode


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 code with its exponent: the number of decimals (JPY 0, EUR 2, BHD 3)."""

    code: str
    exponent: int


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the currency's minor unit: 1.00 EUR is 100, 1 JPY is 1."""

    minor: int
    currency: Currency

    def __str__(self) -> str:
        return at_full_scale(self.minor, self.currency.exponent)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)


def at_full_scale(minor: int, exponent: int) -> str:
    """The amount at full scale: `100.00`, `-1.00`, JPY `100`, BHD `0.880`."""
    if exponent == 0:
        return str(minor)
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


def minor_units(text: str, exponent: int, field: str = "amount") -> int:
    """Minor units of an amount whose format was checked. Never rounds: too many decimals are
    E_SCALE.
    """
    whole, _, fraction = text.partition(".")
    if len(fraction) > exponent:
        raise RejectedOperation(
            RejectionCode.SCALE, f"{field}: must have at most {exponent} decimals"
        )
    return int(whole + fraction.ljust(exponent, "0"))
