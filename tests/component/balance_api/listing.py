"""Operations as a list shows them."""

from typing import Any

from tests.builders import (
    context_of,
    fee_of,
)
from tests.component.api_calls import MERCHANT, pages

CONTEXTS = (
    context_of(fees=[fee_of("1.00")]),
    context_of("5554", merchant_id=MERCHANT, psp_id="other-psp", balance_shops={"EUR": "bs-two"}),
    context_of("market"),
)


Seen = tuple[str, str]


def seen(body: dict[str, Any]) -> list[Seen]:
    return [(each["falcon_operation_id"], each["stage"]) for each in body["operations"]]


def listed(**query: object) -> list[Seen]:
    return [each for body in pages("/operations", query) for each in seen(body)]
