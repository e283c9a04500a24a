"""Money set aside through the systems' API on the embedded AWS: over HTTP, and 64 at once."""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import pytest

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.sessions import local_client
from falcon_balances.cli.target import Target
from falcon_balances.domain.blocks import Block, BlockStatus, Purpose, block_writes
from falcon_balances.domain.table_writes import AddCounters
from lambdas.systems_api.blocking import request_block
from tests.e2e import observed
from tests.e2e.events import confirmed, context, jsonl, reconciled
from tests.e2e.systems_requests import PSP, ask, available, by_hand, refund

MERCHANTS = ("spend", "releases", "refunds", "hot", "naive", "risky")
EXPIRER = "falcon-balances-local-expirer"
CALLERS = 64
MONEY = 10_000


@pytest.fixture(scope="module")
def money(stack, falcon, tmp_path_factory):
    """100.00 EUR available to each merchant; `spend` has one block, made with the key `taken`."""
    contexts = [
        context(PSP, name, **({"risk": "high"} if name == "risky" else {})) for name in MERCHANTS
    ]
    file = jsonl(tmp_path_factory.mktemp("blocks") / "merchants.jsonl", contexts)
    loaded = falcon("merchants", "load", file)
    assert loaded.returncode == 0, loaded.stderr
    events = [confirmed(PSP, f"for-{name}", name, "100.00") for name in MERCHANTS]
    observed.send(stack, "confirmed", [json.dumps(event) for event in events])
    observed.send(stack, "reconciled", [json.dumps(reconciled(event)) for event in events])
    observed.drain(stack)
    assert ask(stack, "POST", "blocks", by_hand("spend", "1.00"), "taken").status in {200, 201}
    return stack


def test_a_block_is_created_shown_listed_and_released_over_http(money):
    merchant = "m-releases"
    created = ask(money, "POST", "blocks", by_hand("releases", "30.00"), "http-1", merchant)
    again = ask(money, "POST", "blocks", by_hand("releases", "30.00"), "http-1", merchant)
    assert (created.status, again.status) == (201, 200)
    assert created.document == again.document
    assert created.document["requested_by"].startswith("arn:aws:iam::")
    assert available(money, merchant) == ("70.00", "30.00")
    path = f"blocks/{created.document['block_id']}"
    assert ask(money, "GET", path, merchant=merchant).document == created.document
    assert created.document in ask(money, "GET", "blocks", merchant=merchant).document["blocks"]
    released = ask(money, "POST", f"{path}/release", merchant=merchant)
    assert (released.status, released.document["status"]) == (200, "released")
    assert available(money, merchant) == ("100.00", "0.00")


def test_a_refund_is_authorized_confirmed_and_settled(money):
    merchant = "m-refunds"

    def authorize(reference: str, amount: str):
        body = refund("refunds", reference, amount)
        return ask(money, "POST", "refund-authorizations", body, merchant=merchant)

    yes, no = authorize("r-1", "40.00"), authorize("r-2", "60.01")
    assert (yes.status, yes.document["authorized"]) == (201, True)
    assert (no.status, no.document["authorized"], no.document["available"]) == (200, False, "60.00")
    event = confirmed(PSP, "r-1", "refunds", "40.00", type="refund")
    observed.send(money, "confirmed", [json.dumps(event)])
    observed.drain(money)
    assert available(money, merchant) == ("60.00", "0.00")
    [block] = yes.document["blocks"]
    shown = ask(money, "GET", f"blocks/{block['block_id']}", merchant=merchant).document
    assert shown["status"] == "settled"
    late = authorize("r-1", "40.00")
    assert (late.status, late.document["authorization"]["status"]) == (409, "settled")


def test_a_refund_counted_without_a_block_cannot_be_authorized_any_more(money):
    event = confirmed(PSP, "r-3", "spend", "1.00", type="refund")
    observed.send(money, "confirmed", [json.dumps(event)])
    observed.drain(money)
    late = ask(money, "POST", "refund-authorizations", refund("spend", "r-3", "1.00"))
    assert (late.status, late.document["field"]) == (409, "external_reference")


def test_a_block_expires_by_itself_and_never_before_its_time(money):
    before = available(money)
    created = ask(
        money, "POST", "blocks", by_hand("spend", "5.00", expires_in_seconds=3), "expiring"
    )
    path = f"blocks/{created.document['block_id']}"
    money.client("lambda").invoke(FunctionName=EXPIRER, Payload=b"{}")
    if utc_now().isoformat() < created.document["expiry"][:-1]:
        assert ask(money, "GET", path).document["status"] == "active"

    def has_expired():
        money.client("lambda").invoke(FunctionName=EXPIRER, Payload=b"{}")
        return ask(money, "GET", path).document["status"] == "expired"

    observed.wait_until(has_expired, what="expired")
    ended = ask(money, "GET", path).document
    assert ended["ended_at"] >= ended["expiry"]
    assert available(money) == before


def test_a_merchant_of_high_risk_is_checked_against_its_log(money):
    """What the table alone says, nobody may spend."""
    store = DynamoBalanceStore(money.client("dynamodb"), money.balances_table)
    key = block_of("risky", "any", 1).balance_key
    store.transact([AddCounters(key, {"available": 5000})])
    refused = ask(money, "POST", "blocks", by_hand("risky", "100.01"), "1", "m-risky")
    granted = ask(money, "POST", "blocks", by_hand("risky", "100.00"), "2", "m-risky")
    store.transact([AddCounters(key, {"available": -5000})])
    assert (refused.status, refused.document["available"]) == (409, "100.00")
    assert granted.status == 201


@pytest.mark.parametrize(
    ("method", "path", "body", "key", "status", "field"),
    [
        ("POST", "blocks", by_hand("spend", "0"), "bad", 422, "amount"),
        ("POST", "blocks", by_hand("spend", "-1.00"), "bad", 422, "amount"),
        ("POST", "blocks", by_hand("spend", "1.001"), "bad", 422, "amount"),
        ("POST", "blocks", by_hand("spend", "1.00", currency="JPY"), "bad", 422, None),
        ("POST", "blocks", by_hand("nobody", "1.00"), "bad", 422, None),
        ("POST", "blocks", by_hand("spend", "1.00", expires_in_seconds=0), "bad", 422, None),
        ("POST", "blocks", by_hand("spend", "1.00", expires_in_seconds=2592001), "b", 422, None),
        ("POST", "blocks", by_hand("spend", "1.00"), None, 422, "Idempotency-Key"),
        ("POST", "blocks", by_hand("spend", "31.00"), "taken", 409, "amount"),
        ("POST", "refund-authorizations", refund("spend", "r-4", "1e2"), None, 422, "amount"),
        ("POST", "refund-authorizations", refund("nobody", "r-4", "1.00"), None, 422, None),
        ("GET", "blocks/no-such-block", None, None, 404, None),
        ("POST", "blocks/no-such-block/release", None, None, 404, None),
    ],
)
def test_bad_input_is_a_problem_that_names_the_field(money, method, path, body, key, status, field):
    before = available(money)
    answer = ask(money, method, path, body, key)
    assert answer.status == status
    assert answer.document["status"] == status
    if field is not None:
        assert answer.document["field"] == field
    assert available(money) == before


@pytest.mark.parametrize("token", [None, "merchant"])
def test_without_a_signature_nobody_is_let_in(money, falcon, token):
    said = falcon("token", "m-spend").stdout.strip() if token else None
    for path in ("balances", "blocks"):
        status, _, _ = observed.ask(money, f"systems/merchants/m-spend/{path}", said)
        # AWS refuses a token at the door; the emulator lets it in, to where it has no identity.
        assert status in ({403, 404} if token else {403})


def test_a_caller_whom_iam_does_not_let_in_is_refused(money):
    iam = money.client("iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    stranger = Target(
        env="local",
        **{
            **{name: getattr(money, name) for name in money.as_document()},
            "access_key_id": key["AccessKeyId"],
            "secret_access_key": key["SecretAccessKey"],
        },
    )
    assert ask(stranger, "GET", "balances").status == 403
    assert ask(stranger, "POST", "blocks", by_hand("spend", "1.00"), "stranger").status == 403


# Many at once


def block_of(name: str, key: str, amount: int) -> Block:
    return Block(
        block_id=f"{name}-{key}",
        merchant_id=f"m-{name}",
        balance_shop_id=f"bs-{name}",
        currency="EUR",
        amount=amount,
        purpose=Purpose.MANUAL,
        reference="race",
        requested_by="tester",
        created_at=utc_now(),
    )


def naive(block: Block, store: DynamoBalanceStore) -> Block:
    """What must not be done: look whether there is enough, then write."""
    [balance] = store.balances(block.merchant_id)
    if balance.available < block.amount:
        return block_of("naive", "refused", 1)
    put, added = block_writes(block)
    assert isinstance(added, AddCounters)
    while any(store.transact([put, AddCounters(added.key, added.counters)])):
        pass
    return block


@dataclass(frozen=True)
class Race:
    granted: int
    refused: list[Block]
    lowest_seen: int
    looks: int


def race(target: Target, name: str, ask_for: Callable[[Block, DynamoBalanceStore], Block]) -> Race:
    """Each caller asks for blocks of random size until one is refused; a reader looks on."""
    dynamodb = local_client(
        "dynamodb",
        str(target.endpoint_url),
        target.region,
        str(target.access_key_id),
        str(target.secret_access_key),
    )
    store = DynamoBalanceStore(dynamodb, target.balances_table)
    done = Event()

    def look() -> list[int]:
        return [balance.available for balance in store.balances(f"m-{name}")]

    def caller(number: int) -> tuple[int, Block | None, list[int]]:
        sizes, granted = random.Random(number), 0
        for turn in range(100):
            block = block_of(name, f"{number}-{turn}", sizes.randint(1, 400))
            held = ask_for(block, store)
            if held.status is BlockStatus.REFUSED or held.block_id != block.block_id:
                return granted, block, look()
            granted += block.amount
        return granted, None, look()

    def reader() -> list[int]:
        seen = []
        while not done.is_set():
            seen += look()
        return seen

    with ThreadPoolExecutor(CALLERS + 1) as pool:
        looking = pool.submit(reader)
        answers = list(pool.map(caller, range(CALLERS)))
        done.set()
        seen = looking.result()
    seen += [available for _, _, looks in answers for available in looks]
    refused = [block for _, block, _ in answers if block is not None]
    return Race(sum(granted for granted, _, _ in answers), refused, min(seen), len(seen))


def test_64_callers_never_get_more_than_there_is(money):
    run = race(money, "hot", request_block)
    assert 0 < run.granted <= MONEY
    assert len(run.refused) == CALLERS
    assert run.lowest_seen >= 0
    assert run.looks > CALLERS
    left = MONEY - run.granted
    assert available(money, "m-hot") == (f"{left / 100:.2f}", f"{run.granted / 100:.2f}")
    # Money arrives; what was refused stays refused.
    store = DynamoBalanceStore(money.client("dynamodb"), money.balances_table)
    key = run.refused[0].balance_key
    store.transact([AddCounters(key, {"available": 10 * MONEY})])
    for block in run.refused[:8]:
        again = request_block(block, store)
        assert again.status is BlockStatus.REFUSED
        assert again.available is not None
        assert again.available < block.amount
    store.transact([AddCounters(key, {"available": -10 * MONEY})])


def test_the_same_callers_get_more_than_there_is_by_looking_first(money):
    """If this fails, the test above proves nothing."""
    run = race(money, "naive", naive)
    assert run.granted > MONEY


def test_what_is_written_as_granted_is_what_the_balance_says(money):
    blocks = ask(money, "GET", "blocks", merchant="m-hot").document["blocks"]
    active = [each for each in blocks if each["status"] == "active"]
    cents = sum(int(each["amount"].replace(".", "")) for each in active)
    assert available(money, "m-hot")[1] == f"{cents / 100:.2f}"
