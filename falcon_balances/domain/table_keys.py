"""The keys of the table `balances` (design §7): how each is written and read.

A key is a word and its fields, separated by `#`. Ids, instants and currency codes contain no `#`; a
field that can contain one is the last. `sk` writes a sort key, `parse` reads a text of `sk` and
raises ValueError for anything else. `…_KEYS` is the prefix of the sort keys of a kind.
"""

from typing import Final, NamedTuple, Self

from falcon_balances.domain.operations import OperationType, Stage

STREAM_PK: Final = "STREAM"


class ItemKey(NamedTuple):
    pk: str
    sk: str


def key_fields(text: str, count: int) -> list[str]:
    """The fields between `#`; the last one keeps any further `#`. Raises ValueError."""
    fields = text.split("#", count - 1)
    if len(fields) != count or "" in fields:
        raise ValueError(f"expected {count} fields with # between them")
    return fields


def fields_after(word: str, key: str, count: int, *, last_may_hold_it: bool = False) -> list[str]:
    """The fields of a key that begins with this word. Raises ValueError."""
    found, *fields = key_fields(key, count + 1)
    if found != word or ("#" in fields[-1] and not last_may_hold_it):
        raise ValueError(f"not a {word} key")
    return fields


def merchant_pk(merchant_id: str) -> str:
    return f"MERCHANT#{merchant_id}"


def parse_merchant_pk(pk: str) -> str:
    """The merchant_id in a partition key. Raises ValueError for any other text."""
    return fields_after("MERCHANT", pk, 1)[0]


class BalanceKey(NamedTuple):
    """One balance of a merchant."""

    balance_shop_id: str
    currency: str

    @property
    def sk(self) -> str:
        return f"BALANCE#{self.balance_shop_id}#{self.currency}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        return cls(*fields_after("BALANCE", sk, 2))


BALANCE_KEYS: Final = "BALANCE#"


def is_balance(key: ItemKey) -> bool:
    return key.sk.startswith(BALANCE_KEYS)


class WindowKey(NamedTuple):
    """What was counted of a balance in the quarter of an hour that began at `start`."""

    start: str
    balance: BalanceKey

    @property
    def sk(self) -> str:
        return f"WINDOW#{self.start}#{self.balance.balance_shop_id}#{self.balance.currency}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        start, *balance = fields_after("WINDOW", sk, 3)
        return cls(start, BalanceKey(*balance))


def windows_from(start: str) -> str:
    """Sorts right before the keys of all windows with this start, which continue with `#`."""
    return f"WINDOW#{start}"


class DayKey(NamedTuple):
    """Sums of a balance over a UTC day (`YYYY-MM-DD`) of operation dates."""

    day: str
    balance: BalanceKey

    @property
    def sk(self) -> str:
        return f"DAY#{self.day}#{self.balance.balance_shop_id}#{self.balance.currency}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        day, *balance = fields_after("DAY", sk, 3)
        return cls(day, BalanceKey(*balance))


def days_from(day: str) -> str:
    """A text that sorts right before the keys of all sums of that day."""
    return f"DAY#{day}"


class DayCounter(NamedTuple):
    """The attribute of a day's item that sums up one type of one stage.

    `is_late`: only what was counted after the day's month had ended.
    """

    stage: Stage
    type: str
    is_late: bool = False

    @property
    def name(self) -> str:
        return f"{'late_' if self.is_late else ''}{self.stage.value}_{self.type}"

    @classmethod
    def parse(cls, name: str) -> Self:
        stage, _, line_type = name.removeprefix("late_").partition("_")
        return cls(Stage(stage), OperationType(line_type).value, name.startswith("late_"))


class CorrectionKey(NamedTuple):
    """The key by which an operation finds its correction, whichever is counted first."""

    corrected_operation_id: str
    falcon_operation_id: str

    @property
    def sk(self) -> str:
        return f"{corrections_of(self.corrected_operation_id)}{self.falcon_operation_id}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        return cls(*fields_after("CORRECTION", sk, 2))


def corrections_of(corrected_operation_id: str) -> str:
    """The prefix of the sort keys of all corrections of an operation."""
    return f"CORRECTION#{corrected_operation_id}#"


class StandingKey(NamedTuple):
    falcon_operation_id: str

    @property
    def sk(self) -> str:
        return f"{STANDING_KEYS}{self.falcon_operation_id}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        return cls(*fields_after("STANDING", sk, 1))


STANDING_KEYS: Final = "STANDING#"


class BlockKey(NamedTuple):
    block_id: str

    @property
    def sk(self) -> str:
        return f"{BLOCK_KEYS}{self.block_id}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        return cls(*fields_after("BLOCK", sk, 1))


BLOCK_KEYS: Final = "BLOCK#"


class FindingKey(NamedTuple):
    kind: str
    subject: str

    @property
    def sk(self) -> str:
        return f"{FINDING_KEYS}{self.kind}#{self.subject}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        return cls(*fields_after("FINDING", sk, 2))


FINDING_KEYS: Final = "FINDING#"


class AttemptKey(NamedTuple):
    """One attempt at a refund's authorization, stored under the refund's own id."""

    falcon_operation_id: str
    attempt: int

    @property
    def item(self) -> ItemKey:
        return ItemKey(refund_pk(self.falcon_operation_id), f"{ATTEMPT_KEYS}{self.attempt:02d}")

    @classmethod
    def parse(cls, key: ItemKey) -> Self:
        (operation_id,) = fields_after("REFUND", key.pk, 1)
        (number,) = fields_after("ATTEMPT", key.sk, 1)
        found = cls(operation_id, int(number))
        if found.item != key or found.attempt < 1:
            raise ValueError("not an ATTEMPT key")
        return found


ATTEMPT_KEYS: Final = "ATTEMPT#"


def refund_pk(falcon_operation_id: str) -> str:
    return f"REFUND#{falcon_operation_id}"


def current_key(falcon_operation_id: str) -> ItemKey:
    """The key of the item that names the current attempt at a refund's authorization."""
    return ItemKey(refund_pk(falcon_operation_id), "CURRENT")


class ReferenceKey(NamedTuple):
    """The index key of a merchant's operations by a reference, which can contain `#`."""

    merchant_id: str
    reference: str

    @property
    def text(self) -> str:
        return f"REFERENCE#{self.merchant_id}#{self.reference}"

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(*fields_after("REFERENCE", text, 2, last_may_hold_it=True))


AS_OF_KEY: Final = ItemKey(STREAM_PK, "AS_OF")
PARKED_KEY: Final = ItemKey(STREAM_PK, "PARKED")


class ShardKey(NamedTuple):
    """The key of a shard's "closed until" time."""

    shard_id: str

    @property
    def item(self) -> ItemKey:
        return ItemKey(STREAM_PK, f"SHARD#{self.shard_id}")

    @classmethod
    def parse(cls, key: ItemKey) -> Self:
        return cls(*fields_after("SHARD", key.sk, 1))


class CutKey(NamedTuple):
    """The key of a cut: the shards that have met it, and when it was complete."""

    cut_at: str

    @property
    def item(self) -> ItemKey:
        return ItemKey(STREAM_PK, f"{CUT_KEYS}{self.cut_at}")

    @classmethod
    def parse(cls, sk: str) -> Self:
        return cls(*fields_after("CUT", sk, 1))


CUT_KEYS: Final = "CUT#"
