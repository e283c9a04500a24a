"""What every read of a merchant needs: who asks, what time it is, how its route is registered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import BaseModel

from falcon_balances.adapters.ports import MerchantReads, TransactionLog
from lambdas.api_routes.edge import Api, Handler

MerchantId = Annotated[str, Path(description="The merchant's global id.")]
BalanceShopId = Annotated[str, Path(description="A balance of the merchant.")]


@dataclass(frozen=True, slots=True)
class Sources:
    """What one caller may read: one merchant's items, and its log."""

    reads: MerchantReads
    log: TransactionLog
    log_objects_max: int


class RouteContext:
    """`sources_of` says who asks: it raises NotFoundError for a merchant that is not the caller's,
    before anything is read of it. `tag` is `merchants` or `systems`.
    """

    def __init__(
        self,
        api: Api,
        root: str,
        sources_of: Callable[[str], Sources],
        now: Callable[[], datetime],
        tag: str,
    ) -> None:
        self.api = api
        self.sources_of = sources_of
        self.now = now
        self.for_systems = tag == "systems"
        self._root = root
        self._tag = tag

    def get(
        self, path: str, handler: Handler, query: type[BaseModel] | None, docs: Mapping[str, Any]
    ) -> None:
        """Register a read, whose path and query Powertools validates."""
        self.add("GET", path, handler, query=query, enable_validation=True, **docs)

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        **docs: Any,  # noqa: ANN401 - handed on to the API
    ) -> None:
        """The name of `handler` becomes the operation's in OpenAPI."""
        name = f"{self._tag}_{handler.__name__}"
        docs |= {"tags": [self._tag], "operation_id": name}
        self.api.add(method, f"{self._root}{path}", handler, **docs)

    def check_known(self, sources: Sources) -> None:
        """Raises NotFoundError: an empty list of an unknown merchant is 404, not empty."""
        if not sources.reads.balances():
            raise NotFoundError

    def link(self, query: BaseModel, cursor: str | None) -> dict[str, str]:
        """RFC 8288; relative to the address that was asked."""
        if cursor is None:
            return {}
        asked = query.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {"Link": f'<?{urlencode({**asked, "cursor": cursor})}>; rel="next"'}
