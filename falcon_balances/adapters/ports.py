"""Ports of the functions: one method is one AWS call, with its effect and its answer.

Decisions stay outside the ports, so that tests can crash before and after every call.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from falcon_balances.adapters.past_ports import PastReads
from falcon_balances.adapters.progress_ports import StreamProgress
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.payouts import PayoutOutcomeV1
from falcon_balances.domain.authorizations import Authorization, Current
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.cuts import Shard
from falcon_balances.domain.effects import Effect
from falcon_balances.domain.history import Day, Mark
from falcon_balances.domain.known_findings import KnownFinding
from falcon_balances.domain.log_keys import DayRange
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import TableWrite


class EventClaims(Protocol):
    def claim(self, claim: ClaimV1) -> ClaimV1 | None:
        """Writes the claim if there is none. None if it was written, else the existing claim."""

    def find(self, falcon_operation_id: str, staged: str) -> ClaimV1 | None:
        """The claim of a stage and revision, as `staged` of `domain/operations.py` writes them."""

    def of_operation(self, falcon_operation_id: str) -> Sequence[ClaimV1]:
        """The claims of all stages and revisions; strongly consistent."""


class PayoutClaims(EventClaims, Protocol):
    def decide(
        self, claim: ClaimV1, writes: Sequence[TableWrite]
    ) -> "ClaimV1 | Sequence[WriteOutcome] | None":
        """Writes the claim and executes `writes`, all or none. None if all succeeded; otherwise the
        existing claim, or an outcome for each of `writes`.
        """

    def move(
        self, falcon_operation_id: str, source: str, target: str, writes: Sequence[TableWrite] = ()
    ) -> "Sequence[WriteOutcome]":
        """Moves a payout's state and executes `writes`, all or none. Empty if all succeeded;
        otherwise the claim's outcome, which names its state, and an outcome for each of `writes`.
        """

    def claim_return(
        self, claim: ClaimV1, payout_operation_id: str, amount: int, paid: int
    ) -> "ClaimV1 | WriteOutcome":
        """Claims a return and adds `amount` to what its payout has got back, both or none, never
        above `paid`; in minor units. None if both succeeded; otherwise the existing claim, or the
        payout's outcome.
        """


class RefundClaims(Protocol):
    def authorize(
        self, falcon_operation_id: str, writes: Sequence[TableWrite]
    ) -> "Sequence[WriteOutcome] | None":
        """Executes the writes, all or none, if no stage of the refund is claimed. Empty if they
        succeeded, otherwise an outcome for each; None if the refund is claimed.
        """


class Authorizations(Protocol):
    def current(self, falcon_operation_id: str) -> Current:
        """The current attempt at a refund's authorization; strongly consistent."""


class OutcomeTopic(Protocol):
    def announce(self, outcome: PayoutOutcomeV1) -> None: ...


@dataclass(frozen=True, slots=True)
class LogObject:
    body: bytes
    metadata: Mapping[str, str]
    version_id: str = field(default="", compare=False)
    """S3's id of the version that was read; empty for an object that was not read."""


class LogTooLargeError(Exception):
    """A merchant's log has more objects than can be read within one request."""

    def __init__(self, merchant_id: str, objects_max: int) -> None:
        super().__init__(f"{merchant_id}: more than {objects_max} log objects")
        self.merchant_id = merchant_id
        self.objects_max = objects_max


class TransactionLog(Protocol):
    def append(self, key: str, logged: LogObject) -> str | None:
        """Writes an object, and returns the id of its version; None if the key exists already, with
        whatever bytes.
        """

    def read(self, key: str) -> LogObject: ...

    def read_existing(self, keys: Collection[str]) -> Mapping[str, LogObject]:
        """Those of the objects that exist; one read each, several at once."""

    def segments_of(
        self, merchant_id: str, objects_max: int | None = None, days: DayRange | None = None
    ) -> Sequence[Segment]:
        """All segments of a merchant, or those whose lines are dated in a range of UTC days, in no
        particular order; one read per object. The objects of other days cost nothing.

        Raises LogTooLargeError beyond `objects_max`.
        """


@dataclass(frozen=True, slots=True)
class StreamEntry:
    partition_key: str
    data: bytes


class BalanceStream(Protocol):
    def publish(self, entries: Sequence[StreamEntry]) -> Sequence[int]:
        """Publishes entries. Returns the positions of refused entries; the others are on the
        stream.
        """

    def shards(self) -> Sequence[Shard]:
        """All shards that still hold records, with their parents."""

    def put_cut(self, shard: Shard, data: bytes) -> None:
        """Puts a cut into the shard that covers this shard's hash keys now."""


@dataclass(frozen=True, slots=True)
class ConditionFailed:
    """The item does not satisfy the condition; `attributes` is empty if the item does not exist."""

    attributes: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class TryAgain:
    """A conflict with another transaction, or throttling: try again."""


WriteOutcome = ConditionFailed | TryAgain | None


class AvailableNow(NamedTuple):
    """A balance's `available` in minor units, and since when it is negative."""

    available: int
    negative_since: datetime | None


class BalanceStore(StreamProgress, Protocol):
    def transact(self, writes: Sequence[TableWrite]) -> Sequence[WriteOutcome]:
        """Executes the writes, all or none. Empty if they succeeded, otherwise an outcome for each
        write.
        """

    def blocks(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Block]:
        """The blocks that exist, of at most a hundred keys; strongly consistent."""

    def items(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Mapping[str, str | int]]:
        """The attributes of the items that exist, of at most a hundred; strongly consistent."""

    def blocks_of(self, merchant_id: str) -> Sequence[Block]:
        """All blocks of a merchant, in no particular order."""

    def due_blocks(self, partition: str, now: datetime) -> Sequence[Block]:
        """Active blocks in one partition of the index whose expiry has passed, oldest first."""

    def due_authorizations(self, partition: str, now: datetime) -> Sequence[Authorization]:
        """Like `due_blocks`, for refund authorizations, with all that each holds."""

    def balances(self, merchant_id: str) -> Sequence[Balance]:
        """The balances of a merchant; strongly consistent, in no particular order."""

    def available_now(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, AvailableNow]:
        """The states of the balances that exist, of at most a hundred; strongly consistent."""

    def set_negative_since(self, key: ItemKey, since: datetime | None) -> None:
        """Sets the time if `available` is below zero and has no time yet. None removes the time if
        `available` is not below zero.
        """


@dataclass(frozen=True, slots=True)
class WantedMarks:
    """From `start` to `end`, which are prefixes of orders, and after the order `after` in the
    direction of reading; `limit` of them, among the next `look_at` marks of each partition.
    """

    start: str
    end: str
    after: str | None
    newest_first: bool
    limit: int
    look_at: int


@dataclass(frozen=True, slots=True)
class MarkPage:
    """A page; `is_last` if and only if no marks follow."""

    marks: Sequence[Mark]
    is_last: bool


@dataclass(frozen=True, slots=True)
class TaggedMarks:
    """`seen`: the order up to which every mark with the codes is here; None if no marks follow."""

    marks: Sequence[Mark]
    seen: str | None


class MarkReads(PastReads, Protocol):
    """Reads of one merchant's past and marks, all strongly consistent except `marks`, which reads
    an index that lags behind the table.
    """

    def marks(
        self, start: str, end: str, *, after: str | None, newest_first: bool, limit: int
    ) -> MarkPage:
        """Marks in the order of counting, from `start` to `end`, which are prefixes of orders.

        `after` is the order of the last mark seen, in the direction of reading.
        """

    def marks_of(self, falcon_operation_id: str) -> Sequence[Mark]:
        """The marks of all stages and revisions."""


class MerchantReads(MarkReads, Protocol):
    """Reads of one merchant's items: the merchant is given once, and no method takes another.

    All reads are strongly consistent except `marks`, `tagged`, `open_standings` and `referenced`,
    which read indexes that lag behind the table.
    """

    def tagged(self, tags: Collection[str], wanted: WantedMarks) -> TaggedMarks:
        """Marks with all these codes (`domain/operation_tags.py`). Values may share a code, so
        others can be among them.
        """

    def indexed_as_of(self, now: datetime) -> datetime | None:
        """Like `as_of`, for reads of an index: an earlier `as_of`, which the index has had time to
        follow.
        """

    def days(self, first: str, last: str) -> Sequence[Day]:
        """The days from the first to the last, both included, oldest first."""

    def late(self, month: str, limit: int) -> Sequence[CountedOrder]:
        """Marks counted after the month of their date, in the order of counting."""

    def effect_of(self, mark: Mark) -> Effect:
        """The whole effect of a segment that was counted in several parts."""

    def block(self, block_id: str) -> Block | None: ...

    def corrections(self, falcon_operation_id: str) -> Sequence[str]:
        """The adjustments that correct an operation."""

    def open_standings(self, limit: int) -> Sequence[Standing]:
        """Operations whose stages differ, or that lack one stage, sorted by id."""

    def referenced(self, reference: str, limit: int) -> Sequence[str]:
        """The ids of operations with this reference, their own or their original's; at most `limit`
        items of the index.
        """

    def sale(self, key: SaleKey) -> Sale | None:
        """The sale under this merchant, whatever merchant the key names."""

    def sale_operations(self, sale_id: str, limit: int) -> Sequence[SaleOperation]:
        """The operations that took from a sale or gave back to it, `limit` at most."""

    def findings(self, after: str | None, limit: int) -> Sequence[KnownFinding]:
        """Findings by kind and operation, after the sort key `after`; `limit` at most."""

    def claims(self, falcon_operation_id: str) -> Sequence[ClaimV1]:
        """The claims of all stages and revisions, in their order, that name the merchant."""
