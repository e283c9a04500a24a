"""Replay = table = API = verifier, on random worlds with all that events can say."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from falcon_balances.audit.balances import balances_of, differences, read_document
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.domain.counting import COUNTERS
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.operations import Stage
from falcon_balances.fakes.interruptions import never
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from lambdas.api_routes.context import Sources
from lambdas.balance_api import handler as balance_api
from tests.audit.sealed import sealed_log, split
from tests.component.api_calls import get
from tests.component.world import CURSOR_SEAL, ENVIRONMENT
from tests.property.machine import context
from tests.property.pipeline import Pipeline
from tests.property.promises import dump

EVENTS = 2_000
SELLERS = ("ann", "ben", "cat")
TYPES = ("capture", "capture", "capture", "refund", "chargeback", "chargeback_reversal", "cashback")
REVISED = ["2026-03-05T09:40:00Z", "2026-03-05T09:50:00Z"]


def event(rng: Random, n: int) -> tuple[Stage, dict[str, Any]]:
    """Of one operation both stages, mostly alike; each revised now and then."""
    of = Random(n)  # what both stages say of the operation
    minor = of.randrange(10, 20_000)
    said: dict[str, Any] = {
        "schema_version": "1",
        "psp_id": "psp",
        "external_reference": f"order {n}/a",
        "type": of.choice(TYPES),
        "currency": "EUR",
        "operation_date": "2026-03-05T09:00:00Z",
        "local_merchant_id": of.choice(SELLERS),
        "shop_id": "shop",
    }
    if of.random() < 0.1:
        said["occurrence"] = of.choice([2, 99])
    if said["type"] != "capture" and of.random() < 0.5:
        said["original_reference"] = f"order {of.randrange(n + 1)}/a"
    if rng.random() < 0.15:  # the stages contradict each other
        minor = minor * 100 if rng.random() < 0.3 else rng.randrange(10, 20_000)
        said["local_merchant_id"] = rng.choice(SELLERS)
    if rng.random() < 0.2:
        revision = rng.choice([2, 3])
        said |= {"revision": revision, "revised_at": REVISED[revision - 2]}
        minor = rng.choice([0, minor, minor // 2])
    said["amount"] = f"{minor / 100:.2f}"
    if minor > 2 and of.random() < 0.2:
        first = minor // 3
        parts = [(said["local_merchant_id"], first), ("cat", minor - first)]
        said |= {
            "local_merchant_id": "market",
            "splits": [
                {
                    "local_merchant_id": seller,
                    "shop_id": "shop",
                    "amount": f"{part / 100:.2f}",
                    "marketplace_fee": f"{part // 10 / 100:.2f}",
                }
                for seller, part in parts
            ],
        }
    if rng.random() < 0.45:
        dates = {"reconciled_date": "2026-03-05T09:30:00Z", "bank_reference": f"line {n % 7}"}
        return Stage.RECONCILED, said | dates
    return Stage.CONFIRMED, said


def counted(seed: int, days: int = 1) -> Pipeline:
    """All of it sent, a part of it on each of these days, and brought to its end."""
    rng = Random(seed)
    world = Pipeline(never)
    for merchant in (*SELLERS, "market"):
        version = parse_merchant_context(context(merchant, "1.5"))
        world.directory.contexts[version.key] = [version]
        for merchant_id, named in merchants_of([version]).items():
            world.directory.name_merchant(merchant_id, named)
    for _ in range(days):
        for _ in range(EVENTS // days):
            stage, document = event(rng, rng.randrange(EVENTS // 3))
            world.send(stage, dump(document))
        _bring_to_its_end(world)
    return world


def _bring_to_its_end(world: Pipeline) -> None:
    for hours in (0, 21):  # what waits for a revision before it is given up
        world.tick(hours=hours)
        for stage, queue in world.queues.items():
            queue.redrive()
            while queue.waiting:
                world.dispatcher(stage, 10)()
    world.tick(minutes=1)
    world.cutter()()
    world.reduce_all()


@pytest.fixture(params=range(2))
def world(request, monkeypatch) -> Pipeline:
    """The merchants' API reads there."""
    found = counted(request.param)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        balance_api,
        "sources",
        lambda merchant: Sources(
            MemoryMerchantReads(found.store, found.claims, merchant),
            found.log,
            10_000,
            CURSOR_SEAL,
        ),
    )
    monkeypatch.setattr(balance_api.routes, "now", lambda: found.now + timedelta(seconds=1))
    return found


def test_the_log_the_table_the_api_and_the_verifier_say_the_same(world, tmp_path):
    objects = {key: logged.body for key, logged in world.log.objects.items()}
    made = sealed_log(tmp_path, split(objects, 3))
    replayed = replay(LogFolder(made.log), Selection())
    assert replayed.findings == []
    log = balances_of(replayed.sums, replayed.agreements)
    merchants = [f"m-{name}" for name in (*SELLERS, "market")]
    table = [(m, each) for m in merchants for each in world.store.balances_of(m)]
    assert differences(log, table) == []

    for query in ({}, {"source": "log"}):
        told = {m: get("/balances", query, merchant_id=m).body["balances"] for m in merchants}
        api = [(m, read_document(each)) for m, some in told.items() for each in some]
        assert differences(log, api) == []
    done = verify(made.log, made.manifests, made.public_key, versions=made.versions)
    assert done.problems == []
    verified = {
        BalanceId(*(str(each[name]) for name in BalanceId._fields)): each for each in done.balances
    }
    assert verified.keys() == log.keys()
    for key, balance in log.items():
        said = {name: str(verified[key][name]).replace(".", "") for name in COUNTERS}
        assert {name: int(text) for name, text in said.items()} == {
            name: getattr(balance, name) for name in COUNTERS
        }
    # The worlds have what they are for.
    assert sum(".r" in key for key in objects) > EVENTS // 40
    for figure in ("pending", "unapplied", "debits_unconfirmed", "debits_untraced"):
        assert sum(getattr(each, figure) for each in log.values()) > 0
