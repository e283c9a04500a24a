"""Cursors say where a page ended, bound to the merchant, route and query they were made for."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

_DIGEST_CHARACTERS: Final = 16


class InvalidCursorError(ValueError):
    """The cursor was cut, altered, made up, or made for another merchant, route or query."""

    def __init__(self) -> None:
        super().__init__("must be the next_cursor of a page of this merchant, route and query")


@dataclass(frozen=True, slots=True)
class Cursors:
    """A digest detects cursors that were cut, altered or taken from elsewhere. It is no secret:
    whoever makes one up reads only their own operations, because keys come from the token alone.
    """

    route: str
    merchant_id: str
    query: Mapping[str, object]

    def write(self, position: str) -> str:
        text = f"{self._digest(position)}{position}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def read(self, cursor: str | None) -> str | None:
        """The position in a cursor; None without a cursor. Raises InvalidCursorError."""
        if cursor is None:
            return None
        try:
            text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        except (binascii.Error, ValueError):
            text = ""
        digest, position = text[:_DIGEST_CHARACTERS], text[_DIGEST_CHARACTERS:]
        if not position or digest != self._digest(position) or self.write(position) != cursor:
            raise InvalidCursorError
        return position

    def _digest(self, position: str) -> str:
        bound = [self.route, self.merchant_id, dict(sorted(self.query.items())), position]
        return sha256(json.dumps(bound, default=str).encode()).hexdigest()[:_DIGEST_CHARACTERS]
