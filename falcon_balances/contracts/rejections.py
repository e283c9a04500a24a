"""An operation's refusal on its way back to the dispatcher."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from falcon_balances.domain.errors import RejectedOperation, RejectionCode


class Rejection(BaseModel):
    """An operation's refusal on its way back to the dispatcher."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: RejectionCode
    reason: str

    def raised(self) -> RejectedOperation:
        return RejectedOperation(self.code, self.reason)

    @classmethod
    def of(cls, rejected: RejectedOperation) -> Self:
        return cls(code=rejected.code, reason=rejected.reason)
