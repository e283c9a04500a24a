"""Settings that can differ between environments; everything else is the same everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from aws_cdk.aws_logs import RetentionDays

FUNCTION_NAMES = (
    "dispatcher",
    "splitter",
    "persister",
    "publisher",
    "payout-decider",
    "payout-logger",
    "payout-announcer",
    "reducer",
    "cutter",
    "expirer",
    "closer",
    "day-lister",
    "day-publisher",
    "balance-api",
    "systems-api",
    "sealer",
    "reconciler",
)


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    timeout_s: int
    memory_mb: int


@dataclass(frozen=True, kw_only=True)
class ObjectLock:
    """A special permission can lift GOVERNANCE; nobody can lift COMPLIANCE, not even AWS."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    days: int


@dataclass(frozen=True, kw_only=True)
class QueueReading:
    """How the dispatcher reads its queue."""

    batch_size: int
    window_s: int
    max_concurrency: int

    def visibility_s(self, timeout_s: int) -> int:
        """The visibility timeout. AWS recommends at least six times the function's timeout, plus
        the batching window.
        """
        return 6 * timeout_s + self.window_s


@dataclass(frozen=True, kw_only=True)
class Stream:
    """`shards` is None for an on-demand stream, which scales by itself."""

    shards: int | None
    retention_h: int
    batch_size: int
    window_s: int


@dataclass(frozen=True, kw_only=True)
class Provided:
    """The least and the most messages a second for which tables have units provided by the hour.
    Auto scaling moves the units between the two; a burst above the present units is throttled, and
    its messages wait. Cheaper than on demand for a steady load (docs/capacity.md).
    """

    least: int
    most: int


@dataclass(frozen=True, kw_only=True)
class Throttling:
    requests_per_second: int
    burst: int


@dataclass(frozen=True, kw_only=True)
class Api:
    """`web_origin`: the origin, `https://host`, whose pages can call the API from a browser; None
    allows none.
    """

    merchants: Throttling
    systems: Throttling
    log_objects_max: int
    """How many log objects of a merchant a request can add up within the gateway's 29 s."""
    web_origin: str | None


@dataclass(frozen=True, kw_only=True)
class Sealing:
    """`manifest_objects_max`: about how many objects a manifest has."""

    manifest_objects_max: int


@dataclass(frozen=True, kw_only=True)
class Reconciling:
    """`days`: how many days the dates of both sides may differ. Statements of the last
    `look_back_days` are compared with the operations of these days.
    """

    days: int
    look_back_days: int


@dataclass(frozen=True, kw_only=True)
class EnvironmentSettings:
    name: str
    mode: Literal["test", "live"]

    emulated: bool
    """On the embedded AWS, which has no HTTPS, and no If-None-Match in policy conditions."""
    creates_core_topics: bool
    """Falcon Core owns the topics of the PSPs; a stack without Falcon Core creates its own."""
    keeps_data: bool
    """Whether stateful resources outlive their stack and the stacks refuse to be deleted."""
    password_sign_in_by_admin: bool
    """Allows `falcon token` to get a token without a browser; never where there is real money."""
    has_layer: bool
    """Dependencies come in a layer; the emulator's own interpreter already has them."""

    operators: tuple[str, ...]
    """The only identities that can publish adjustments: `role/NAME`, `user/NAME`, or `root` of the
    account.
    """

    log_lock: ObjectLock
    journal_lock: ObjectLock
    quarantine_lock: ObjectLock
    manifest_lock: ObjectLock
    bank_statement_lock: ObjectLock
    sealing: Sealing
    reconciling: Reconciling
    queue: QueueReading
    stream: Stream
    provided: Provided | None = None
    """None: tables are paid for on demand."""
    api: Api
    functions: Mapping[str, FunctionSettings]
    log_level: Literal["DEBUG", "INFO", "WARNING"]
    function_logs: RetentionDays

    def __post_init__(self) -> None:
        if set(self.functions) != set(FUNCTION_NAMES):
            raise ValueError(f"{self.name}: settings for {sorted(self.functions)}")
        if self.emulated and self.mode == "live":
            raise ValueError(f"{self.name}: live data does not belong on an emulator")

    @property
    def prefix(self) -> str:
        return f"falcon-balances-{self.name}"
