"""The demo's act about spending: a refund authorized and settled, a payout paid, one refused."""

import json
from typing import Any

from demo.evidence import Api, cut_behind_everything, log_body
from demo.stack import DemoStack
from demo.story import Story
from falcon_balances.cli import api as http
from falcon_balances.cli.target import Target

MERCHANT, BALANCE_SHOP = "m-books", "bs-books-eur"
REFUND: dict[str, Any] = {
    "psp_id": "psp-north",
    "external_reference": "return-1002",
    "local_merchant_id": "5001",
    "shop_id": "books-web",
    "amount": "9.00",
    "currency": "EUR",
}


def spend(story: Story, stack: DemoStack, api: Api) -> None:
    target = stack.target
    story.act("Money is set aside, refunded and paid out")
    story.say("   A shopper wants 9.00 EUR back. A system asks whether the shop can pay for it:")
    authorize(story, target)
    stack.falcon_json(*("psp", "send", "--stage", "confirmed", "demo/data/refund.jsonl", "--wait"))
    cut_behind_everything(target, api, MERCHANT)
    story.check(
        "the confirmed refund is counted and its block settled in one transaction",
        figures(api),
        {"blocked": "0.00", "available": "50.00", "withdrawn": "0.00"},
    )
    pay_out(story, stack, api)


def authorize(story: Story, target: Target) -> None:
    path = f"systems/merchants/{MERCHANT}/refund-authorizations"
    story.say(f"   POST /v1/{path}")
    yes = http.call(target, "POST", path, body=REFUND)
    story.say(f"   {json.dumps(yes.document)}")
    more = REFUND | {"external_reference": "return-1003", "amount": "50.01"}
    no = http.call(target, "POST", path, body=more).document
    again = http.call(target, "POST", path, body=REFUND)
    story.check(
        "authorized, with 9.00 set aside; repeated, the same answer; 50.01 more: refused",
        (yes.document["authorized"], again.document, no["authorized"], no["available"]),
        (True, yes.document, False, "50.00"),
    )


def pay_out(story: Story, stack: DemoStack, api: Api) -> None:
    words = ("payout", "request", MERCHANT, BALANCE_SHOP)
    paid = stack.falcon_json(*words, "50.00", "EUR", "--payout-id", "week-45", "--wait")
    (withdrawal,) = paid["withdrawal"]
    for line in log_body(stack.target, withdrawal["log_key"]).splitlines():
        story.say(f"   {line}")
    story.check(
        "the payout is paid: one line in the log, its block settled",
        (paid["state"], paid["block"]["status"], len(withdrawal["lines"])),
        ("paid", "settled", 2),
    )
    again = stack.falcon_json(*words, "50.00", "EUR", "--payout-id", "week-45", "--wait")
    story.check("the same request a moment later: the same payout", again, paid)
    refused = stack.falcon_json(
        *words, "0.01", "EUR", "--payout-id", "week-46", "--wait", exit_code=1
    )
    cut_behind_everything(stack.target, api, MERCHANT)
    story.check(
        "one cent more is refused, with what was available; week-45 was paid once",
        (refused["state"], refused["available_when_refused"], figures(api)),
        ("refused", "0.00", {"blocked": "0.00", "available": "0.00", "withdrawn": "50.00"}),
    )


def figures(api: Api) -> dict[str, Any]:
    _, document = api.balances(MERCHANT, api.token(MERCHANT))
    (balance,) = document["balances"]
    return {name: balance[name] for name in ("blocked", "available", "withdrawn")}
