"""Cases that Schemathesis makes of the committed OpenAPI document, and the answers to them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig

OPENAPI = Path(__file__).parents[2] / "schemas/openapi.json"
DOCUMENT: dict[str, Any] = json.loads(OPENAPI.read_text())


def schema_of(mode: str, *, coverage: bool) -> Any:
    said = {
        "generation": {"mode": mode},
        "phases": {"coverage": {"enabled": coverage}, "examples": {"enabled": True}},
    }
    return schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(said))


class Answers:
    """How often each status was answered, over all routes of a schema but those left out."""

    def __init__(self, schema: Any, without: str = "") -> None:
        routes = [each.ok() for each in schema.get_all_operations()]
        self._unasked = {each.label for each in routes if each.path != without}
        self.statuses: Counter[int] = Counter()

    def note(self, case: schemathesis.Case[Any], status: int) -> None:
        self._unasked.discard(case.operation.label)
        self.statuses[status] += 1

    @property
    def are_of_all_routes(self) -> bool:
        """Only then can be said whether enough was asked: a part of the tests may be run alone."""
        return not self._unasked
