"""What the API says of the orders of `olist`, against what lies in the log, by other arithmetic.

The CSV files are read with `csv` and `Decimal` and added up in a few lines of their own. Most of it
was counted, by the product's own code, as if it had arrived in closed quarters (`tests/e2e/past`).
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from falcon_balances.adapters.clock import utc_now
from falcon_balances.cli.token import merchant_token
from tests.e2e import observed
from tests.e2e.asking import Asker
from tests.e2e.orders_told import MIDST, THREADS, Logged, Questions, Times, Told, added_up, same
from tests.e2e.paid_out import DATA, months_before
from tests.e2e.tokens import Token, pool_key

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not beside this checkout"),
]


def is_then(balances: list[dict[str, Any]], figures: Mapping[str, Any]) -> bool:
    """Of a point in time: nothing that is set aside is taken off; and what had not begun yet is
    not there.
    """
    if not figures["operations_count"]:
        return balances == []
    return same(balances, figures, Decimal(balances[0]["available_before_blocks"]))


@pytest.fixture(scope="module")
def log(paid) -> dict[str, list[Logged]]:
    """The segments of each merchant, as they lie in S3."""
    observed.drain(paid.target)
    found = defaultdict(list)
    for key, logged in observed.log_objects(paid.target).items():
        stage, merchant, *_ = key.split("/")
        rows = list(csv.DictReader(StringIO(logged.body.decode())))
        found[merchant.removeprefix("merchant_id=")].append(Logged(key, stage, rows))
    return dict(found)


@pytest.fixture(scope="module")
def times(paid, log) -> Times:
    merchant = min(log)
    with Asker(paid.target, merchant_token(paid.target, merchant)) as asker:
        early = asker.ask(f"merchants/{merchant}/balances?at=2999-01-01T00:00:00Z")
    first, last, this = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in months_before(utc_now()))
    return Times(first, last, this, early.document["closed_until"])


@pytest.fixture(scope="module")
def told(paid, log, times) -> dict[str, Told]:
    """Signing as the pool does spares the making of 320 users."""
    target = paid.target
    key = pool_key(paid.stack.home.temp, target.user_pool_id)
    model = Token.parse(merchant_token(target, min(log)))

    def ask(merchant: str) -> Told:
        token = model.changed({"custom:merchant_id": merchant}).signed(key)
        with Asker(target, str(token)) as asker:
            return Questions(asker, f"merchants/{merchant}", times).all(log[merchant])

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(log, pool.map(ask, log), strict=True))


def wrong(log: Mapping[str, list[Logged]], is_right: Callable[[str, list[Logged]], bool]):
    """The merchants of whom it is not so; that there are many is said, too."""
    assert len(log) == 320
    return [merchant for merchant, segments in log.items() if not is_right(merchant, segments)]


def test_the_log_adds_up_to_what_the_table_says_once_drained(log, told):
    def is_right(merchant, segments):
        said = told[merchant]
        (balance,) = said.balances
        available = Decimal(balance["available"]) + Decimal(balance["blocked"])
        return (
            said.log["balances"] == said.balances
            and said.log["objects_read"] == len(segments)
            and same(said.balances, added_up(segments), available)
        )

    assert wrong(log, is_right) == []


def test_operations_are_the_logs_segments_each_once_with_their_lines(log, told):
    def is_right(merchant, segments):
        listed = {each["log_key"]: each for each in told[merchant].operations}
        rows = {
            key: [(line["uuid"], line["type"], line["amount"]) for line in each["lines"]]
            for key, each in listed.items()
        }
        return len(listed) == len(told[merchant].operations) and rows == {
            each.key: [(row["uuid"], row["type"], row["amount"]) for row in each.rows]
            for each in segments
        }

    assert wrong(log, is_right) == []


def test_operations_come_in_the_order_they_were_counted(log, told):
    def is_right(merchant, _):
        order = [
            (each["counted_in"], each["operation_date"], each["falcon_operation_id"])
            for each in told[merchant].operations
        ]
        return order == sorted(order)

    assert wrong(log, is_right) == []
    counted_in = Counter(
        each["counted_in"][:7] for said in told.values() for each in said.operations
    )
    assert len(counted_in) >= 3


def test_turnover_of_every_month_is_what_the_csv_files_add_up_to(log, told):
    def is_right(merchant, segments):
        sums: dict[str, dict[tuple[str, str], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        counts: Counter[str] = Counter()
        for segment in segments:
            for row in segment.rows:
                month = row["operation_date"][:7]
                sums[month][segment.stage, row["type"]] += Decimal(row["amount"])
                counts[month] += 1
        for month, said in told[merchant].turnover.items():
            (currency,) = said["currencies"]
            found = {(each["stage"], each["type"]): each["amount"] for each in currency["sums"]}
            if {name: Decimal(amount) for name, amount in found.items()} != sums[month]:
                return False
            if currency["operations_count"] != counts[month]:
                return False
        return set(told[merchant].turnover) == set(sums)

    assert wrong(log, is_right) == []


def test_turnover_names_what_was_counted_after_its_month(log, told):
    """Which is all of the orders: they are of 2016 to 2018."""

    def is_right(merchant, segments):
        for month, said in told[merchant].turnover.items():
            late = {
                (each["falcon_operation_id"], each["stage"]) for each in said["late_operations"]
            }
            counted = {
                (each["falcon_operation_id"], each["stage"])
                for each in told[merchant].operations
                if each["operation_date"][:7] == month < each["counted_in"][:7]
            }
            if late != counted or said["has_more_late_operations"]:
                return False
            (currency,) = said["currencies"]
            if month < "2019" and currency["late_sums"] != currency["sums"]:
                return False
        return True

    assert wrong(log, is_right) == []


def test_what_was_at_the_newest_closed_quarter_and_counted_since_is_what_is_now(log, told, times):
    """Whether or not a quarter has ended between counting and asking."""

    def is_right(merchant, segments):
        said = told[merchant]
        # What each stage says may lie on both sides of it: only all together is what is now.
        before = added_up(said.counted_before(segments, times.closed))
        (now,) = said.balances
        live = Decimal(now["available"]) + Decimal(now["blocked"])
        return is_then(said.at_closed, before) and same([now], added_up(segments), live)

    assert wrong(log, is_right) == []


def test_by_operation_date_the_log_says_what_was_by_then(log, told):
    def is_right(merchant, segments):
        earlier = [each for each in segments if each.date < MIDST]
        return is_then(told[merchant].by_date, added_up(earlier))

    assert wrong(log, is_right) == []


def test_statements_chain_and_end_where_this_month_began(log, told, times):
    def is_right(merchant, segments):
        said = told[merchant]
        balances = [each["balances"][0] for each in said.statements]
        openings = [each["opening"] for each in balances]
        closings = [each["closing"] for each in balances]
        then = added_up(said.counted_before(segments, times.this))
        # Before anything was counted there is no statement.
        ends = closings[-1:] or said.at_this_month
        return openings[1:] == closings[:-1] and is_then(ends, then)

    assert wrong(log, is_right) == []
    assert (
        wrong(
            log,
            lambda merchant, segments: is_then(
                told[merchant].at_this_month,
                added_up(told[merchant].counted_before(segments, times.this)),
            ),
        )
        == []
    )
    assert sum(len(said.statements) == 2 for said in told.values()) > 100


def test_a_statements_lines_are_those_counted_in_its_month_and_lead_to_its_closing(log, told):
    def is_right(merchant, segments):
        rows = {row["uuid"]: row for each in segments for row in each.rows}
        for statement in told[merchant].statements:
            month, (balance,) = statement["month"], statement["balances"]
            counted = [
                line["uuid"]
                for each in told[merchant].operations
                if each["counted_in"].startswith(month)
                for line in each["lines"]
            ]
            lines = statement["lines"]
            if [line["uuid"] for line in lines] != counted:
                return False
            if any(line["amount"] != rows[line["uuid"]]["amount"] for line in lines):
                return False
            added = sum(Decimal(line["amount"]) for line in lines)
            if added != booked(balance["closing"]) - booked(balance["opening"]):
                return False
            if lines and lines[-1]["running"] != balance["closing"]:
                return False
        return True

    assert wrong(log, is_right) == []


def booked(figures: Mapping[str, str]) -> Decimal:
    """All lines of all stages, whatever counts as available."""
    return (
        Decimal(figures["confirmed"])
        + Decimal(figures["reconciled"])
        + Decimal(figures["adjusted"])
        - Decimal(figures["withdrawn"])
    )


def test_a_months_history_leads_from_its_opening_to_its_closing_in_steps(log, told):
    def is_right(merchant, _):
        history = told[merchant].history
        steps = history["steps"]
        openings = [*(each["opening"] for each in steps), history["closing"]]
        closings = [history["opening"], *(each["closing"] for each in steps)]
        counted = {each["counted_in"] for each in told[merchant].operations}
        return openings == closings and {each["from"] for each in steps} <= counted

    assert wrong(log, is_right) == []
    assert sum(len(said.history["steps"]) for said in told.values()) > 100


def test_what_awaits_reconciliation_is_what_the_log_has_no_match_for(log, told):
    def is_right(merchant, segments):
        stages: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(dict)
        for each in segments:
            if each.stage in ("confirmed", "reconciled"):
                rows = sorted((row["type"], row["amount"]) for row in each.rows)
                stages[each.operation_id][each.stage] = rows
        expected = {
            operation_id: (f"{next(iter(sides))}_only" if len(sides) == 1 else "different")
            for operation_id, sides in stages.items()
            if len(sides) == 1 or sides["confirmed"] != sides["reconciled"]
        }
        said = {e["falcon_operation_id"]: e["standing"] for e in told[merchant].unreconciled}
        return said == expected

    assert wrong(log, is_right) == []
    assert any(said.unreconciled for said in told.values())
