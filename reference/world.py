"""A small world in memory, from which the API gives real answers for the published examples."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.context_samples import CONTEXT_SAMPLES
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.contracts.stream_records import CutRecordV1
from falcon_balances.domain.blocks import block_writes
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payouts import payout_block
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from inprocess.functions import Functions
from inprocess.gateway import authorized
from inprocess.places import MemoryPlaces
from inprocess.pure import claim_of, persist_claim, records_of
from lambdas.api_routes.context import Sources
from lambdas.balance_api import handler
from lambdas.systems_api import handler as systems

NOW: Final = parse_rfc3339("2026-12-01T10:20:41Z")
CALLER: Final = "arn:aws:sts::123456789012:assumed-role/refunds/worker"
LOG_OBJECTS_MAX: Final = 2_000
CURSOR_SEAL: Final = b"of the reference"
_SHARD: Final = "shardId-000000000000"


class MemoryApi:
    """Both APIs over one in-memory world, whose clock stands at `now`."""

    def __init__(self) -> None:
        self.now = NOW
        self._places = MemoryPlaces(lambda: self.now, shard_count=1)
        self._functions = Functions(self._places, lambda: self.now)
        self.store = self._places.store
        self.claims = self._places.claims
        self.refunds = self._places.refunds
        self.log = self._places.log
        self.directory = self._places.directory
        self.store.floors[_SHARD] = None
        contexts = [parse_merchant_context(each) for each in CONTEXT_SAMPLES.values()]
        self.directory.contexts = {each.key: [each] for each in contexts}
        self.directory.named = merchants_of(contexts)

    def count(self, stage: Stage, document: Mapping[str, object], arrived_at: str) -> ClaimV1:
        """Claims an event and counts it, as if it had reached the stream at `arrived_at`."""
        operation = parse_document(document, stage)
        claim = claim_of(operation, arrived_at, self.directory.contexts, self.directory.named)
        if isinstance(operation, PayoutRequest):
            block = payout_block(operation, operation.amount.minor, parse_rfc3339(arrived_at))
            self.store.apply(block_writes(block))
        persist_claim(claim, self.claims, self.log)
        for data in records_of(claim):
            self._reduce(data, parse_rfc3339(arrived_at))
        return claim

    def cut(self, cut_at: str) -> None:
        taken = parse_rfc3339(cut_at)
        record = CutRecordV1.of(Cut(taken, (_SHARD,)))
        before, self.now = self.now, taken
        self._reduce(record.model_dump_json().encode(), taken)
        self.now = before

    def _reduce(self, data: bytes, arrived_at: datetime) -> None:
        self._functions.reduce(_SHARD, [(data, arrived_at)])

    def sources(self, merchant_id: str) -> Sources:
        reads = MemoryMerchantReads(self.store, self.claims, merchant_id)
        return Sources(reads, self.log, LOG_OBJECTS_MAX, CURSOR_SEAL)

    def ask(self, request: Mapping[str, Any], merchant_id: str) -> dict[str, Any]:
        """The answer to a gateway's event; `CALLER` asks systems' routes."""
        is_systems = str(request["rawPath"]).startswith("/v1/systems/")
        authorizer: dict[str, Any] = {"jwt": {"claims": {"custom:merchant_id": merchant_id}}}
        if is_systems:
            authorizer = {"iam": {"userArn": CALLER}}
        api = systems.api if is_systems else handler.api
        return api.handle(authorized(request, authorizer), None)  # type: ignore[arg-type]


def example_world() -> MemoryApi:
    """A book shop's autumn: two captures, a refund, a payout and its return, a correction."""
    world = MemoryApi()
    order = _capture("order-1001", "120.00", "2026-10-30T09:00:00Z")
    world.count(Stage.CONFIRMED, order, "2026-10-30T09:03:10Z")
    world.count(
        Stage.RECONCILED, _reconciled(order, "2026-11-02T00:00:00Z"), "2026-11-02T06:00:05Z"
    )
    world.cut("2026-11-02T06:16:00Z")
    second = _capture("order-1002", "80.00", "2026-11-20T10:15:30Z")
    world.count(Stage.CONFIRMED, second, "2026-11-20T10:16:00Z")
    refund = _capture("return-1001", "20.00", "2026-11-21T08:00:00Z") | {"type": "refund"}
    world.count(Stage.CONFIRMED, refund, "2026-11-21T08:00:20Z")
    payout = _direct(payout_id="week-47", amount="50.00", requested_at="2026-11-23T07:00:00Z")
    world.count(Stage.PAYOUT, payout, "2026-11-23T07:00:02Z")
    back = {"type": "return", "returned_at": "2026-11-24T12:00:00Z", "bank_reference": "bank-7"}
    returned = _direct(payout_id="week-47", amount="50.00", **back)
    world.count(Stage.PAYOUT, returned, "2026-11-24T12:00:09Z")
    wrong = {
        "direction": "credit",
        "reason_code": "double_booking",
        "adjusted_at": "2026-11-25T09:00:00Z",
        "requested_by": "ops-1",
    }
    wrong |= {"reason": "fee charged twice", "corrects": operation_id_of(world, "order-1001")}
    world.count(
        Stage.ADJUSTMENT,
        _direct(adjustment_id="adj-1", amount="1.20", **wrong),
        "2026-11-25T09:01:00Z",
    )
    late = _capture("order-1003", "15.00", "2026-11-30T23:50:00Z")
    world.count(Stage.CONFIRMED, late, "2026-12-01T00:04:00Z")
    for cut_at in ("2026-12-01T00:16:00Z", "2026-12-01T10:19:30Z", "2026-12-01T10:20:00Z"):
        world.cut(cut_at)
    return world


def operation_id_of(world: MemoryApi, reference: str) -> str:
    return next(
        operation_id
        for (operation_id, _), claim in world.claims.claims.items()
        if f",{reference}," in claim.body_of(claim.segments[0])
    )


def _capture(reference: str, amount: str, date: str) -> dict[str, Any]:
    context = CONTEXT_SAMPLES["book-shop"]
    return {
        "schema_version": "1",
        "psp_id": context["psp_id"],
        "external_reference": reference,
        "type": "capture",
        "amount": amount,
        "currency": "EUR",
        "operation_date": date,
        "local_merchant_id": context["local_merchant_id"],
        "shop_id": context["shop_id"],
    }


def _reconciled(confirmed: dict[str, Any], date: str) -> dict[str, Any]:
    return confirmed | {"reconciled_date": date, "bank_reference": "bank-1"}


def _direct(**more: str) -> dict[str, Any]:
    said = {"schema_version": "1", "merchant_id": "m-books", "currency": "EUR"}
    return {**said, "balance_shop_id": "bs-m-books-eur", **more}
