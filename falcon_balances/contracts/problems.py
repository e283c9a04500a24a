"""Problem documents (RFC 9457): each kind has a URN, and a page in `docs/problems/`."""

from enum import Enum
from http import HTTPStatus
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

URN: Final = "urn:falcon:balances:problem:"
_EXTRA = Field(exclude_if=lambda said: said is None)


class Problem(Enum):
    """(name, status, title). RFC 9457 asks for the same title in every occurrence."""

    MALFORMED = ("malformed-request", HTTPStatus.BAD_REQUEST, "Malformed request")
    NOT_FOUND = ("not-found", HTTPStatus.NOT_FOUND, "Not found")
    NOT_CLOSED = ("period-not-closed", HTTPStatus.NOT_FOUND, "Period not closed yet")
    METHOD = ("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed")
    CONFLICT = ("conflict", HTTPStatus.CONFLICT, "Conflict")
    INSUFFICIENT = ("insufficient-balance", HTTPStatus.CONFLICT, "Insufficient balance")
    TOO_LARGE = ("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request too large")
    INVALID = ("invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request")
    LOG_TOO_LARGE = ("log-too-large", HTTPStatus.UNPROCESSABLE_ENTITY, "Log too large to add up")
    UNAVAILABLE = (
        "unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Balances cannot be read now",
    )

    @property
    def slug(self) -> str:
        return self.value[0]

    @property
    def status(self) -> HTTPStatus:
        return self.value[1]

    @property
    def title(self) -> str:
        return self.value[2]

    @property
    def urn(self) -> str:
        return f"{URN}{self.slug}"


class ProblemErrorV1(BaseModel):
    """One error, with its place: a `pointer` (RFC 6901) into the body, or the name of a
    `parameter`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    detail: str
    pointer: Annotated[str | None, _EXTRA] = None
    parameter: Annotated[str | None, _EXTRA] = None
    location: Annotated[Literal["path", "query", "header"] | None, Field(alias="in"), _EXTRA] = None


class ProblemV1(BaseModel):
    """A problem (RFC 9457). `request_id` identifies the request to the operators; kinds add fields
    of their own.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    request_id: str
    detail: Annotated[str | None, _EXTRA] = None
    errors: Annotated[tuple[ProblemErrorV1, ...] | None, _EXTRA] = None
