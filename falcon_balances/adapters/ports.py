"""What the functions ask of the world: one method, one AWS call, with its effect and its answer.

Decisions stay above these ports, so that a crash can be put before or after every call.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.payouts import PayoutOutcomeV1
from falcon_balances.domain.authorizations import Authorization, Current
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.cuts import Cut, Shard, ShardState
from falcon_balances.domain.effects import Effect
from falcon_balances.domain.history import Day, Figures, Mark, Window
from falcon_balances.domain.known_findings import KnownFinding
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import BalanceKey, ItemKey
from falcon_balances.domain.table_writes import TableWrite


class EventClaims(Protocol):
    def claim(self, claim: ClaimV1) -> ClaimV1 | None:
        """Write it if there is none; the claim that was there before, or None if ours is first."""

    def find(self, falcon_operation_id: str, staged: str) -> ClaimV1 | None:
        """`staged`: stage and revision, as `staged` of `domain/operations.py` writes them."""

    def of_operation(self, falcon_operation_id: str) -> Sequence[ClaimV1]:
        """All stages and revisions; strongly consistent."""


class PayoutClaims(EventClaims, Protocol):
    def decide(
        self, claim: ClaimV1, writes: Sequence[TableWrite]
    ) -> "ClaimV1 | Sequence[WriteOutcome] | None":
        """Claim and writes, all or none. None if they happened; else the claim that was there
        before, or an outcome for each of the writes.
        """

    def move(
        self, falcon_operation_id: str, source: str, target: str, writes: Sequence[TableWrite] = ()
    ) -> "Sequence[WriteOutcome]":
        """A payout's state, and writes with it, all or none. Empty if they happened, else the
        claim's outcome, which names its state, and one for each of the writes.
        """

    def claim_return(
        self, claim: ClaimV1, payout_operation_id: str, amount: int, paid: int
    ) -> "ClaimV1 | WriteOutcome":
        """Claim a return and add `amount` to what came back of its payout, both or none: only up
        to what was `paid`, in minor units. None if it happened; else the claim that was there
        before, or the payout's outcome.
        """


class RefundClaims(Protocol):
    def authorize(
        self, falcon_operation_id: str, writes: Sequence[TableWrite]
    ) -> "Sequence[WriteOutcome] | None":
        """The writes, all or none, while the refund is claimed in no stage. Empty if they happened,
        else an outcome for each of them; None where it is claimed.
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


class LogTooLargeError(Exception):
    """A merchant's log has more objects than can be read while somebody waits."""

    def __init__(self, merchant_id: str, objects_max: int) -> None:
        super().__init__(f"{merchant_id}: more than {objects_max} log objects")
        self.merchant_id = merchant_id
        self.objects_max = objects_max


class TransactionLog(Protocol):
    def append(self, key: str, logged: LogObject) -> bool:
        """True if written now; False if the key was there already, with whatever bytes."""

    def read(self, key: str) -> LogObject: ...

    def segments_of(self, merchant_id: str, objects_max: int | None = None) -> Sequence[Segment]:
        """All that is logged of a merchant, in no particular order: as many reads as objects.

        Raises LogTooLargeError for more than `objects_max`.
        """


@dataclass(frozen=True, slots=True)
class StreamEntry:
    partition_key: str
    data: bytes


class BalanceStream(Protocol):
    def publish(self, entries: Sequence[StreamEntry]) -> Sequence[int]:
        """The positions of the entries that the stream did not take; the others it has."""

    def shards(self) -> Sequence[Shard]:
        """All shards that still hold records, with the shards they came from."""

    def put_cut(self, shard: Shard, data: bytes) -> None:
        """Into the shard that covers this one's hash keys now."""


@dataclass(frozen=True, slots=True)
class ConditionFailed:
    """The item is not as the write wanted it: what it holds, nothing where there is none."""

    attributes: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class TryAgain:
    """A conflict with another transaction, or too much at once."""


WriteOutcome = ConditionFailed | TryAgain | None


class AvailableNow(NamedTuple):
    """What a balance's item says of `available`, in minor units, and since when it is negative."""

    available: int
    negative_since: datetime | None


class BalanceStore(Protocol):
    def transact(self, writes: Sequence[TableWrite]) -> Sequence[WriteOutcome]:
        """All of the writes or none. Empty if they happened, else an outcome for each write."""

    def blocks(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Block]:
        """Those of at most a hundred blocks that there are; strongly consistent."""

    def items(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Mapping[str, str | int]]:
        """The attributes of those of at most a hundred items that there are; read consistently."""

    def blocks_of(self, merchant_id: str) -> Sequence[Block]:
        """All of a merchant's, in no particular order."""

    def due_blocks(self, partition: str, now: datetime) -> Sequence[Block]:
        """Active ones of one partition of the index whose expiry has come; oldest first."""

    def due_authorizations(self, partition: str, now: datetime) -> Sequence[Authorization]:
        """As `due_blocks`, of authorizations of refunds, with all that each holds."""

    def balances(self, merchant_id: str) -> Sequence[Balance]:
        """Strongly consistent, in no particular order."""

    def available_now(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, AvailableNow]:
        """Of those of at most a hundred balances that there are; strongly consistent."""

    def set_negative_since(self, key: ItemKey, since: datetime | None) -> None:
        """A time only where `available` is below zero and has none; None only where it is not."""

    def as_of(self) -> datetime | None:
        """All that reached the stream by then is counted; None before the first complete cut."""

    def advance_as_of(self, cut_at: datetime) -> None:
        """Never moves back."""

    def meet_cut(self, cut: Cut, shard_id: str) -> frozenset[str]:
        """Note that all before the cut in this shard is counted; the shards that have met it."""

    def complete_cut(self, cut_at: datetime, now: datetime) -> None:
        """Note when `as_of` came to this cut: the first time stays."""

    def shard_state(self, shard_id: str) -> ShardState: ...

    def counted(self, marks: Collection[ItemKey]) -> frozenset[ItemKey]:
        """Those of at most a hundred marks that there are; strongly consistent."""

    def park(self, names: Collection[str]) -> None:
        """Note records that wait: no shard meets a cut before they were counted."""

    def unpark(self, names: Collection[str]) -> None: ...

    def raise_shard_floor(self, shard_id: str, closed_until: datetime | None) -> None:
        """Never moves back."""


@dataclass(frozen=True, slots=True)
class MarkPage:
    """`is_last`: there are no more of what was asked for."""

    marks: Sequence[Mark]
    is_last: bool


class MerchantReads(Protocol):
    """One merchant's own items and nobody else's: it is named once, and no method takes another.

    All reads are strongly consistent but `marks` and `open_standings`, which read indexes that
    follow the table.
    """

    @property
    def merchant_id(self) -> str: ...

    def as_of(self) -> datetime | None:
        """All that reached the stream by then is in the items that are read after this."""

    def indexed_as_of(self, now: datetime) -> datetime | None:
        """As above for what is indexed: how far `as_of` had come when an index had time to
        follow.
        """

    def balances(self) -> Sequence[Balance]:
        """In no particular order."""

    def at_once(
        self, balances: Sequence[BalanceKey], starts: Sequence[datetime]
    ) -> tuple[Mapping[BalanceKey, Figures], Sequence[Window]] | TryAgain:
        """Balances, and their windows with these beginnings, at one moment; a hundred items at
        most.
        """

    def windows(self, start: datetime, end: datetime) -> Sequence[Window]:
        """Of all balances, those that began from `start` on and before `end`; oldest first."""

    def days(self, first: str, last: str) -> Sequence[Day]:
        """From the first UTC day to the last, both included; oldest first."""

    def late(self, month: str, limit: int) -> Sequence[CountedOrder]:
        """Of marks that were counted after the month they are booked in, by when."""

    def marks(
        self, start: str, end: str, *, after: str | None, newest_first: bool, limit: int
    ) -> MarkPage:
        """In the order of counting, from `start` to `end`, which are beginnings of orders.

        `after` is the order of the last one seen, in the direction of reading.
        """

    def marks_of(self, falcon_operation_id: str) -> Sequence[Mark]:
        """Of all stages and revisions."""

    def effect_of(self, mark: Mark) -> Effect:
        """The whole of it, where the segment was counted in more than one part."""

    def block(self, block_id: str) -> Block | None: ...

    def corrections(self, falcon_operation_id: str) -> Sequence[str]:
        """The adjustments that correct an operation."""

    def open_standings(self, limit: int) -> Sequence[Standing]:
        """Operations whose stages say different things, or of which one says nothing, by id."""

    def referenced(self, reference: str, limit: int) -> Sequence[str]:
        """The operations that bear this reference or have it as their original, by id; `limit`
        items of the index at most.
        """

    def sale(self, key: SaleKey) -> Sale | None:
        """Under this merchant, whomever the key names."""

    def sale_operations(self, sale_id: str, limit: int) -> Sequence[SaleOperation]:
        """What was taken of a sale and came back to it, `limit` at most."""

    def findings(self, after: str | None, limit: int) -> Sequence[KnownFinding]:
        """By kind and operation, behind the sort key `after`; `limit` at most."""

    def claims(self, falcon_operation_id: str) -> Sequence[ClaimV1]:
        """Of all stages and revisions, in their order; none that does not name the merchant."""
