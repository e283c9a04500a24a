"""How up to date an answer is: fields of every document of the API (design §8)."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.domain.instants import rfc3339


class Fresh(BaseModel):
    """`as_of`: the answer contains everything that had reached the stream by then; null before the
    first complete cut.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    merchant_id: str
    as_of: Annotated[str | None, Field(description="RFC 3339 in UTC. It never goes back.")]
    lag_seconds: Annotated[
        int | None, Field(ge=0, description="Seconds from `as_of` to this answer.")
    ]


def freshness(merchant_id: str, as_of: datetime | None, now: datetime) -> dict[str, Any]:
    """The fields of `Fresh`; `lag_seconds` is never below 0."""
    return {
        "merchant_id": merchant_id,
        "as_of": None if as_of is None else rfc3339(as_of),
        "lag_seconds": None if as_of is None else max(0, int((now - as_of).total_seconds())),
    }
