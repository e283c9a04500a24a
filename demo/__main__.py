"""`python -m demo`: shows the main job on an embedded AWS, and checks each step.

Exit code 0 if every check passed, 1 if one failed, 130 if interrupted.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from demo.evidence import (
    Api,
    cut_behind_everything,
    log_body,
    log_object,
    log_versions,
    quarantined,
)
from demo.reading import show_reads
from demo.spending import spend
from demo.stack import DemoError, DemoStack, demo_stack
from demo.story import Story
from falcon_balances.cli.embedded.process import port_problem
from falcon_balances.cli.embedded.stack import interruptible
from falcon_balances.cli.errors import CliError
from falcon_balances.cli.target import Target

DATA = Path(__file__).with_name("data")
SHOWN = "demo/data"
SENT = (("confirmed", "confirmed.jsonl"), ("reconciled", "reconciled.jsonl"))
CAPTURE = ("psp-north", "capture", "order-1001")
BASKET = "basket-2001"
FIGURES = (
    "confirmed",
    "reconciled",
    "pending",
    "debits_untraced",
    "available",
    "operations_count",
)
NUMBER_AS_AMOUNT, OTHER_AMOUNT = 1, 2  # lines of wrong.jsonl; the third repeats a valid event

Balances = list[dict[str, Any]]


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def publish(story: Story, stack: DemoStack) -> None:
    story.act("What the PSPs publish")
    merchants = {each["local_merchant_id"]: each["merchant_id"] for each in read("merchants.jsonl")}
    rows: list[tuple[str, ...]] = [
        ("stage", "PSP", "type", "reference", "amount", "merchant", "split among")
    ]
    for stage, name in SENT:
        rows += [_row_of(stage, event, merchants) for event in read(name)]
    story.table(rows, left=len(rows[0]))
    story.say("   the first event, as published to SNS:")
    story.say(f"   {(DATA / SENT[0][1]).read_text().splitlines()[0]}")
    stack.falcon_json("merchants", "load", f"{SHOWN}/merchants.jsonl")
    for stage, name in SENT:
        sent = send(stack, stage, name)
        story.check(
            f"all {sent['sent']} messages counted, none refused or pending ({sent['seconds']} s)",
            (sent["sent"], sent["counted"], sent["quarantined"], sent["pending"]),
            (len(read(name)), len(read(name)), 0, 0),
        )


def _row_of(stage: str, event: dict[str, Any], merchants: dict[str, str]) -> tuple[str, ...]:
    parts = [
        f"{merchants[part['local_merchant_id']]} {part['amount']}"
        for part in event.get("splits", [])
    ]
    return (
        stage,
        event["psp_id"],
        event["type"],
        event["external_reference"],
        f"{event['amount']} {event['currency']}",
        merchants[event["local_merchant_id"]],
        ", ".join(parts),
    )


def send(stack: DemoStack, stage: str, name: str, *options: str) -> dict[str, Any]:
    return stack.falcon_json(
        "psp", "send", "--stage", stage, f"{SHOWN}/{name}", "--wait", "--timeout", "60", *options
    )


def show_log(story: Story, target: Target) -> None:
    story.act("What is in the transaction log (S3)")
    operation_id = str(uuid5(uuid5(NAMESPACE_URL, "urn:falcon:balances"), "|".join(CAPTURE)))
    keys = [key for key, _, _ in log_versions(target)]
    key = f"confirmed/merchant_id=m-books/date=2025-11-03/{operation_id}.csv"
    story.check(
        "the log holds the key that anybody can derive from the event", key in keys, expected=True
    )
    story.say(f"   {key}")
    for line in log_body(target, key).splitlines():
        story.say(f"   {line}")
    logged = [log_object(target, key) for key in keys]
    basket = [
        each
        for each in logged
        if (each["stage"], each["external_reference"]) == ("confirmed", BASKET)
    ]
    story.say("   the marketplace's basket of 80.00 EUR has one object per merchant:")
    story.table(
        [
            ("object", "merchant", "lines"),
            *(
                (each["part"], each["merchant_id"], ", ".join(map(" ".join, each["lines"])))
                for each in basket
            ),
        ],
        left=3,
    )
    story.check(
        f"all {len(logged)} objects and their {sum(len(each['lines']) for each in logged)} lines"
        " equal those worked out by hand",
        sorted(logged, key=json.dumps),
        sorted(read("expected-log.jsonl"), key=json.dumps),
    )


def show_balances(story: Story, target: Target, api: Api) -> Balances:
    story.act("What the merchants see (balance API)")
    story.say("   The scheduler sends a cut into the stream every minute; the demo sends one now.")
    as_of = cut_behind_everything(target, api, "m-books")
    story.say(f"   as_of is {as_of}: everything that reached the stream before then is counted.")
    _, document = api.balances("m-books", api.token("m-books"))
    story.say("   GET /v1/merchants/m-books/balances, with the token of m-books")
    story.say(f"   {json.dumps(document)}")
    balances = all_balances(api)
    story.table(
        [
            ("merchant", "currency", *FIGURES),
            *(
                (each["merchant_id"], each["currency"], *(str(each[name]) for name in FIGURES))
                for each in balances
            ),
        ],
        left=2,
    )
    story.check(
        "every figure equals the one worked out by hand", balances, read("expected-balances.jsonl")
    )
    own, _ = api.balances("m-books", api.token("m-books"))
    other, _ = api.balances("m-books", api.token("m-tea"))
    nobody, _ = api.balances("m-books", None)
    story.check(
        "m-books reads its balances: 200; m-tea asks for them: 404; without a token: 401",
        (own, other, nobody),
        (200, 404, 401),
    )
    return balances


def all_balances(api: Api) -> Balances:
    """One flat document per balance, as in `expected-balances.jsonl`."""
    flat = []
    for merchant_id in [each["merchant_id"] for each in read("expected-balances.jsonl")]:
        _, document = api.balances(merchant_id, api.token(merchant_id))
        flat += [{"merchant_id": merchant_id, **each} for each in document.get("balances", [])]
    return flat


def send_wrong_ones(story: Story, stack: DemoStack, target: Target) -> None:
    story.act("What is refused")
    story.say(
        "   line 1: the amount is a JSON number; line 2: order-1002 again, as 94.50 instead of"
        " 49.50;\n   line 3: order-1002 again, unchanged"
    )
    raw = (DATA / "wrong.jsonl").read_bytes().splitlines()
    sent = send(stack, "confirmed", "wrong.jsonl", "--no-check")
    story.check(
        "two are in quarantine, each with its code; the valid line behind them was counted",
        ([(each["line"], each["code"]) for each in sent["quarantine"]], sent["counted"]),
        ([(NUMBER_AS_AMOUNT, "E_AMOUNT"), (OTHER_AMOUNT, "E_ID_CONFLICT")], 1),
    )
    listed = stack.falcon("ops", "quarantine", "list", "--json").splitlines()
    refused = [json.loads(line) for line in listed]
    for each in refused:
        story.say(f"   {each['key']}\n     {each['code']}  {each['reason']}")
    story.check(
        "quarantine keeps the raw bytes as they arrived",
        sorted(quarantined(target, each["key"]) for each in refused),
        sorted(raw[number - 1] for number in (NUMBER_AS_AMOUNT, OTHER_AMOUNT)),
    )


def send_all_again(
    story: Story,
    stack: DemoStack,
    api: Api,
    balances: Balances,
    versions: Sequence[tuple[str, str, str]],
) -> None:
    story.act("The same files again")
    for stage, name in SENT:
        send(stack, stage, name)
    as_of = cut_behind_everything(stack.target, api, "m-books")
    story.say(f"   as_of is {as_of}: the repeats have been through the whole pipeline.")
    story.check("every balance is unchanged", all_balances(api), balances)
    now = log_versions(stack.target)
    story.check(
        f"the log is unchanged: {len(now)} objects, {len(now)} versions, the same bytes",
        now,
        versions,
    )


def tell(story: Story) -> None:
    story.act("An embedded AWS")
    with demo_stack(story) as stack:
        target = stack.target
        api = Api(target)
        story.say(f"   ready at {target.endpoint_url}, with IAM enforced; nothing leaves this host")
        publish(story, stack)
        show_log(story, target)
        versions = log_versions(target)
        balances = show_balances(story, target, api)
        send_wrong_ones(story, stack, target)
        send_all_again(story, stack, api, balances, versions)
        spend(story, stack, api)
        show_reads(story, api)
    story.act("The end")
    story.check("the embedded AWS is stopped and its port is free", port_problem(stack.port), None)


def main() -> int:
    begun = time.monotonic()
    story = Story()
    interruptible()
    try:
        tell(story)
    except (DemoError, CliError) as error:
        story.broken.append(str(error))
    except KeyboardInterrupt:
        story.say("\ninterrupted; the embedded AWS is stopped")
        return 130
    seconds = time.monotonic() - begun
    if story.broken:
        story.say(f"\n{len(story.broken)} of {story.held + len(story.broken)} checks failed:")
        for statement in story.broken:
            story.say(f"- {statement}")
        return 1
    story.say(f"\nAll {story.held} checks passed, in {seconds:.1f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
