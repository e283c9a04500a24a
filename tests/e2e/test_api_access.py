"""Nobody else's money: who asks for whom over HTTP, with which token, and what they are told."""

import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.e2e.access import OTHER, OWN, signed_in
from tests.e2e.api_world import NAMES, NOBODY, Served
from tests.e2e.asking import Answer, Asker

DRAWS = 2_000
THREADS = 4
# Most draws are reads; the others are refused alike for everybody.
METHODS = ["GET"] * 6 + ["HEAD"] * 2 + ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ACCESS, ANONYMOUS = "an access token", "no token"
PRINCIPALS = [*NAMES, NOBODY, ACCESS, ANONYMOUS]
NAMED = re.compile(r"api-[a-j](?![a-z])")


@dataclass(frozen=True)
class Draw:
    principal: str
    merchant: str
    route: int
    method: str
    root: str

    def path(self, served: Served) -> str:
        return self.root + served.routes(self.merchant)[self.route]

    @property
    def of_nobody(self) -> "Draw":
        """The same for a merchant who does not exist; all merchants are told the same of it."""
        who = NOBODY if self.principal in NAMES else self.principal
        return Draw(who, NOBODY, self.route, self.method, self.root)

    @property
    def is_own(self) -> bool:
        return self.principal == self.merchant != NOBODY and not self.root


def draws(routes: int) -> list[Draw]:
    """Half of them ask for the caller's own merchant, or else nothing would be there to leak."""
    by = random.Random(4)
    found = []
    for _ in range(DRAWS):
        principal = by.choice(PRINCIPALS)
        own = principal in NAMES and by.random() < 0.5
        merchant = principal if own else by.choice([*NAMES, NOBODY])
        root = "systems/" if by.random() < 0.15 else ""
        found.append(Draw(principal, merchant, by.randrange(routes), by.choice(METHODS), root))
    return found


@pytest.fixture(scope="module")
def tokens(served):
    return {**served.tokens, ACCESS: signed_in(served, OWN)["AccessToken"], ANONYMOUS: None}


@pytest.fixture(scope="module")
def answered(served, tokens) -> dict[Draw, Answer]:
    """What was answered to every draw, and to the same asked for nobody."""
    drawn = draws(len(served.routes(OWN)))
    asked = list(dict.fromkeys([*drawn, *(each.of_nobody for each in drawn)]))

    def ask_all(part: list[Draw]) -> list[tuple[Draw, Answer]]:
        with ExitStack() as opened:
            askers = {
                who: opened.enter_context(Asker(served.target, token))
                for who, token in tokens.items()
            }
            return [
                (each, askers[each.principal].ask(each.path(served), each.method)) for each in part
            ]

    with ThreadPoolExecutor(THREADS) as pool:
        parts = pool.map(ask_all, [asked[n::THREADS] for n in range(THREADS)])
        return {draw: answer for part in parts for draw, answer in part}


@pytest.fixture(scope="module")
def drawn(served):
    return draws(len(served.routes(OWN)))


def test_nothing_that_was_drawn_is_answered_5xx(answered):
    assert not {draw: answer for draw, answer in answered.items() if answer.status >= 500}


def test_no_answer_names_another_merchant(answered):
    """Ids of merchants, shops, balances and references all bear the merchant's name."""
    for draw, answer in answered.items():
        text = f"{answer.headers} {answer.body.decode()}"
        assert set(NAMED.findall(text)) <= {draw.principal}, draw


def test_everybody_sees_their_own_and_with_get_and_head_only(answered, drawn):
    statuses: Counter[tuple[str, int]] = Counter()
    for draw in drawn:
        if draw.is_own:
            answer = answered[draw]
            statuses[draw.method, answer.status] += 1
            if draw.method == "GET" and answer.content_type == "application/json":
                assert answer.document["merchant_id"] == f"m-{draw.principal}"
    expected = {"GET": 200, "HEAD": 200, "OPTIONS": 403}
    assert {(method, expected.get(method, 405)) for method in METHODS} == set(statuses)
    assert statuses["GET", 200] > 200


def test_anothers_merchant_is_answered_like_one_who_does_not_exist(answered, drawn):
    told: Counter[tuple[str, int]] = Counter()
    for draw in drawn:
        if not draw.is_own:
            answer, nobodys = answered[draw], answered[draw.of_nobody]
            assert answer.apart_from_ids == nobodys.apart_from_ids, draw
            kind = draw.principal if draw.principal in (ACCESS, ANONYMOUS) else "a merchant"
            told[f"{draw.root}{kind}, {draw.method}", answer.status] += 1
    # The gateway refuses who has no token, and answers all preflights itself; the rest is ours.
    assert {status for (what, status) in told if what == f"{ANONYMOUS}, GET"} == {401}
    assert {status for (what, status) in told if what == f"{ACCESS}, GET"} == {404}
    assert {status for (what, status) in told if what == "a merchant, GET"} == {404}
    assert {status for (what, status) in told if what.startswith("systems/")} <= {403, 404, 405}


# Tokens


def test_a_merchants_token_opens_nothing_of_systems(served):
    """AWS refuses at the gateway what bears no signature; the emulator lets a token through, to
    the function, where it is nobody's.
    """
    with Asker(served.target, served.tokens[OWN]) as asker:
        for path in ("freshness", f"merchants/m-{OWN}/balances", f"merchants/m-{OWN}/blocks"):
            assert asker.ask(f"systems/{path}").status in (403, 404)


@pytest.mark.parametrize(
    "path",
    [
        "merchants/m-{own}%2F..%2Fm-{other}/balances",
        "merchants/m-{own}/../m-{other}/balances",
        "merchants/m-{own}%2F%2E%2E%2Fm-{other}%2Fbalances",
        "merchants%2Fm-{other}/balances",
        "merchants//m-{other}/balances",
        "/merchants/m-{other}/balances",
        "merchants/m-{other}%00/balances",
        "merchants/m-{other}%20/balances",
        "merchants/%6D-{other}/balances",
        "merchants/M-{other}/balances",
        "merchants/m-{own},m-{other}/balances",
        "merchants/m-{own}/balances/bs-{other}",
        "merchants/m-{own}/balances?merchant_id=m-{other}",
        "merchants/m-{own}/operations?balance_shop_id=bs-{other}",
        "merchants/m-{own}/balances;merchant_id=m-{other}",
        "merchants/*/balances",
        "merchants/m-{own}#/m-{other}/balances",
    ],
)
def test_no_way_of_writing_a_path_reaches_another_merchant(served, path):
    with Asker(served.target, served.tokens[OWN]) as asker:
        answer = asker.ask(path.format(own=OWN, other=OTHER))
    assert answer.status in (200, 404, 422)
    assert set(NAMED.findall(answer.body.decode())) <= {OWN}
    if answer.status == 200:
        assert answer.document["merchant_id"] == f"m-{OWN}"
        assert answer.document.get("operations") == []


# From a browser


# Users


def test_an_access_token_shows_nothing_even_to_its_owner(answered, drawn):
    found = [answered[each] for each in drawn if each.principal == ACCESS and each.merchant == OWN]
    assert found
    assert {answer.status for answer in found} <= {403, 404, 405}
