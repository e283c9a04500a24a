"""Cursors: where a page ended, bound to the merchant, the route and the query it was made for."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from lambdas.balance_api.edge import InvalidParameterError

_DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Cursors:
    """A digest tells cursors that were cut, altered or taken from elsewhere. It is no secret: who
    makes one up gets no further than their own operations, for keys come from the token alone.
    """

    route: str
    merchant_id: str
    query: Mapping[str, object]

    def write(self, position: str) -> str:
        text = f"{self._digest(position)}{position}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def read(self, cursor: str | None) -> str | None:
        """Raises InvalidParameterError."""
        if cursor is None:
            return None
        try:
            text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        except (binascii.Error, ValueError):
            text = ""
        digest, position = text[:_DIGEST_CHARACTERS], text[_DIGEST_CHARACTERS:]
        if not position or digest != self._digest(position) or self.write(position) != cursor:
            raise InvalidParameterError(
                "cursor", "must be the next_cursor of a page of this merchant, route and query"
            )
        return position

    def _digest(self, position: str) -> str:
        said = [self.route, self.merchant_id, dict(sorted(self.query.items())), position]
        return sha256(json.dumps(said, default=str).encode()).hexdigest()[:_DIGEST_CHARACTERS]
