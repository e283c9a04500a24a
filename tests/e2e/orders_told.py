"""What log and API say of the paid-out orders, fetched once for all tests."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.e2e.asking import Asker

# Between the orders, for the axis of operation dates.
MIDST = "2018-03-01T00:00:00Z"
THREADS = 4
FIGURES = (
    "confirmed",
    "reconciled",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
    "withdrawn",
    "operations_count",
    "available",
)
NOTHING = Decimal(0)


Row = dict[str, str]


@dataclass(frozen=True)
class Logged:
    """One log object: a segment."""

    key: str
    stage: str
    rows: list[Row]

    @property
    def operation_id(self) -> str:
        return self.rows[0]["falcon_operation_id"]

    @property
    def date(self) -> str:
        return self.rows[0]["operation_date"]


def added_up(segments: Iterable[Logged]) -> dict[str, Any]:
    """The figures of the merchant's one balance, as design §7 defines them."""
    total: dict[str, Any] = defaultdict(Decimal)
    nets: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for segment in segments:
        for row in segment.rows:
            amount = Decimal(row["amount"])
            total["operations_count"] += 1
            if segment.stage in ("confirmed", "reconciled"):
                total[segment.stage] += amount
                nets[segment.operation_id][segment.stage] += amount
            else:
                total["withdrawn"] -= amount
                total["available"] += amount
    for said in nets.values():
        confirmed, reconciled = said["confirmed"], said["reconciled"]
        counted = min(confirmed, reconciled)
        total["available"] += counted
        total["pending"] += max(confirmed, NOTHING) - max(counted, NOTHING)
        total["unapplied"] += max(reconciled, NOTHING) - max(counted, NOTHING)
        total["debits_unconfirmed"] += min(confirmed, NOTHING) - min(counted, NOTHING)
        total["debits_untraced"] += min(reconciled, NOTHING) - min(counted, NOTHING)
    return total


def same(balances: list[dict[str, Any]], figures: Mapping[str, Any], available: Decimal) -> bool:
    (balance,) = balances
    return available == figures["available"] and all(
        Decimal(balance[name]) == figures[name] for name in FIGURES if name != "available"
    )


@dataclass(frozen=True)
class Told:
    """What the API answered to one merchant's token."""

    balances: list[dict[str, Any]]
    log: dict[str, Any]
    at_closed: list[dict[str, Any]]
    at_this_month: list[dict[str, Any]]
    by_date: list[dict[str, Any]]
    operations: list[dict[str, Any]]
    turnover: dict[str, dict[str, Any]]
    statements: list[dict[str, Any]]
    history: dict[str, Any]
    unreconciled: list[dict[str, Any]]

    def counted_before(self, segments: Iterable[Logged], at: str) -> list[Logged]:
        counted_in = {each["log_key"]: each["counted_in"] for each in self.operations}
        return [each for each in segments if counted_in[each.key] < at]


@dataclass(frozen=True)
class Times:
    """The months before this one, and until when quarters are closed."""

    first: str
    last: str
    this: str
    closed: str


@dataclass(frozen=True)
class Questions:
    """All that one merchant is asked."""

    asker: Asker
    root: str
    times: Times

    def get(self, path: str) -> Any:
        answer = self.asker.ask(f"{self.root}/{path}")
        assert answer.status == 200, (path, answer)
        return answer.document

    def listed(self, path: str, name: str) -> list[dict[str, Any]]:
        pages = self.asker.pages(f"{self.root}/{path}")
        return [each for page in pages for each in page[name]]

    def statement(self, month: str) -> dict[str, Any] | None:
        """None where the merchant had nothing yet."""
        answer = self.asker.ask(f"{self.root}/statements/{month}")
        assert answer.status in (200, 404), answer
        return answer.document if answer.status == 200 else None

    def all(self, segments: list[Logged]) -> Told:
        times = self.times
        balances = self.get("balances")["balances"]
        shop = balances[0]["balance_shop_id"]
        history = self.get(f"balances/{shop}/history?from={times.last}&to={times.this}")
        statements = [self.statement(month[:7]) for month in (times.first, times.last)]
        months = sorted({each.date[:7] for each in segments})
        return Told(
            balances=balances,
            log=self.get("balances?source=log"),
            at_closed=self.get(f"balances?at={times.closed}")["balances"],
            at_this_month=self.get(f"balances?at={times.this}")["balances"],
            by_date=self.get(f"balances?at={MIDST}&source=log")["balances"],
            operations=self.listed("operations?limit=3&order=oldest_first", "operations"),
            turnover={month: self.get(f"turnover?month={month}") for month in months},
            statements=[each for each in statements if each is not None],
            history=history["balances"][0],
            unreconciled=self.listed("unreconciled", "operations"),
        )
