"""Cursors say where a page ended, bound to the merchant, route and query they were made for."""

import binascii
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_SEAL_CHARACTERS: Final = 32  # 128 of HMAC-SHA256's 256 bits


class InvalidCursorError(ValueError):
    """The cursor was cut, altered, made up, or made for another merchant, route or query."""

    def __init__(self) -> None:
        super().__init__("must be the next_cursor of a page of this merchant, route and query")


@dataclass(frozen=True, slots=True)
class Cursors:
    """A seal under the stack's own key detects every cursor that the API did not make for this
    merchant, route and query. So a position can hold figures on which the next page builds.
    """

    key: bytes = field(repr=False)
    route: str
    merchant_id: str
    query: Mapping[str, object]

    def write(self, position: str) -> str:
        text = f"{self._seal(position)}{position}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def read(self, cursor: str | None) -> str | None:
        """The position in a cursor; None without a cursor. Raises InvalidCursorError."""
        if cursor is None:
            return None
        try:
            text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        except (binascii.Error, ValueError):
            text = ""
        seal, position = text[:_SEAL_CHARACTERS], text[_SEAL_CHARACTERS:]
        is_ours = hmac.compare_digest(seal.encode(), self._seal(position).encode())
        if not position or not is_ours or self.write(position) != cursor:
            raise InvalidCursorError
        return position

    def _seal(self, position: str) -> str:
        bound = [self.route, self.merchant_id, dict(sorted(self.query.items())), position]
        text = json.dumps(bound, default=str).encode()
        return hmac.digest(self.key, text, "sha256").hex()[:_SEAL_CHARACTERS]
