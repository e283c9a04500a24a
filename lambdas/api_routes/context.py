"""The context of a merchant's reads: the caller, the time, and the registration of routes."""

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
    """What one caller can read: one merchant's items, and its log."""

    reads: MerchantReads
    log: TransactionLog
    log_objects_max: int


class RouteContext:
    """`sources_of` identifies the caller: it raises NotFoundError for another merchant, before
    anything is read. `tag` is `merchants` or `systems`.
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
        """Registers a read; Powertools validates its path and query."""
        self.add("GET", path, handler, query=query, enable_validation=True, **docs)

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        **docs: Any,  # noqa: ANN401 - handed on to the API
    ) -> None:
        """Registers a route. Its operation in OpenAPI is named after the handler."""
        name = f"{self._tag}_{handler.__name__}"
        docs |= {"tags": [self._tag], "operation_id": name}
        self.api.add(method, f"{self._root}{path}", handler, **docs)

    def check_known(self, sources: Sources) -> None:
        """Raises NotFoundError for an unknown merchant, so its lists answer 404 instead of []."""
        if not sources.reads.balances():
            raise NotFoundError

    def link(self, query: BaseModel, cursor: str | None) -> dict[str, str]:
        """The Link header (RFC 8288) to the next page, relative to the request's address."""
        if cursor is None:
            return {}
        asked = query.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {"Link": f'<?{urlencode({**asked, "cursor": cursor})}>; rel="next"'}
