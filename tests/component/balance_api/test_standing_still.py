"""Balances while the reducer stands still, and while others write: exact, or 503."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from falcon_balances.domain.instants import rfc3339
from tests.builders import (
    confirmed,
    cut_of,
    data_of,
)
from tests.component.api_calls import get
from tests.component.balance_api.trading import CONTEXTS, Trade, counted_lines
from tests.component.lambda_events import SHARD
from tests.component.ledger import (
    MINUTE,
    QUARTER,
    SECOND,
    figures_at,
    id_of,
    live_figures,
)
from tests.component.world import utc


def test_while_the_reducer_is_held_as_of_stands_still_and_says_so(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    border = ledger.close()
    as_of = "2026-11-20T10:15:10Z"
    before = figures_at(border)
    for minutes in (1, 16, 300):
        ledger.now = border + minutes * MINUTE + 10 * SECOND
        # One shard goes on counting, another is held: so no cut is complete.
        ledger.count(confirmed(external_reference=f"meanwhile-{minutes}"))
        ledger.reduce(data_of(cut_of(rfc3339(ledger.now), SHARD, "shardId-held")))
        for path, query in EVERYTHING_FRESH:
            body = get(path, query).body
            assert (body["as_of"], body["lag_seconds"]) == (as_of, 60 * minutes), path
        assert get().body["balances"][0]["operations_count"] > 1
        assert figures_at(border) == before
        assert get("/balances", {"at": rfc3339(border + QUARTER)}).status == 404
    ledger.cut()
    assert get().body["as_of"] == "2026-11-20T15:15:10Z"
    assert figures_at(border) == before
    assert figures_at(ledger.close()) == live_figures()


EVERYTHING_FRESH: list[tuple[str, dict[str, object]]] = [
    ("/balances", {}),
    ("/balances", {"source": "log"}),
    ("/balances", {"at": "2026-11-20T10:15:00Z"}),
    ("/balances/bs-5553-eur/history", {}),
    ("/operations", {}),
    (f"/operations/{id_of(confirmed())}", {}),
    ("/turnover", {"month": "2026-11"}),
    ("/unreconciled", {}),
]


def test_however_long_nothing_is_closed_what_was_closed_before_is_exact(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    border = ledger.close()
    live = live_figures()
    for hours in (24, 25, 100):
        ledger.now = border + timedelta(hours=hours)
        ledger.count(confirmed(external_reference=f"later-{hours}"))
        assert figures_at(border) == live


def test_as_of_never_goes_back_and_closed_quarters_stay_whatever_cuts_do(ledger):
    """Lost, late, doubled and out of order, with money arriving behind every one of them."""
    random, events = Random(7), Trade(7)
    ledger.contexts = CONTEXTS
    ledger.at("2026-11-20T00:00:00").count(*events.events(ledger.now, 9))
    as_of, known, taken = "", dict[datetime, Any](), []
    for _ in range(300):
        ledger.now += random.choice([SECOND, MINUTE, 5 * MINUTE])
        taken.append(data_of(cut_of(rfc3339(ledger.now), SHARD)))
        ledger.count(*events.events(ledger.now, 1))
        for _ in range(random.choice([0, 0, 1, 2])):
            ledger.reduce(random.choice(taken[-5:]))
        said = get().body["as_of"] or ""
        assert said >= as_of
        as_of = said
        for border, figures in known.items():
            assert figures_at(border) == figures
        if as_of:
            border = utc(as_of.removesuffix("Z"))
            border = border.replace(minute=border.minute // 15 * 15, second=0) - QUARTER
            known = dict(list(known.items())[-3:]) | {border: figures_at(border)}
    assert len(counted_lines(ledger)) > 300
