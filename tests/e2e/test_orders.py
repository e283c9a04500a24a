"""The orders of `shared/data` through SNS: worked out elsewhere, so nothing of ours is assumed."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from falcon_balances.cli.target import Target
from tests.e2e import observed
from tests.e2e.auditing import (
    HLEDGER,
    Auditor,
    beancount_says,
    hledger_says,
    settlement,
    with_a_cent,
    with_another_cent,
)
from tests.e2e.local_stack import LocalStack

DATA = Path(__file__).parents[2].parent / "shared/data"
SETS = ("edges", "olist")
STAGES = ("confirmed", "reconciled")
# After the money is there: a payout before would be refused. Each file has its stage's name.
LATER = ("confirmed-revisions", "reconciled-revisions", "adjustment", "payout")
FILES = [(part, stage) for part in SETS for stage in STAGES] + [("edges", name) for name in LATER]
SLICE = 170

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not beside this checkout"),
]


def read(name: str) -> list[str]:
    return (DATA / name).read_text("utf-8").splitlines()


def expected_balances() -> dict[tuple[str, str], dict[str, object]]:
    rows = [json.loads(line) for part in SETS for line in read(f"{part}/expected.jsonl")]
    return {(row["merchant_id"], row["balance_shop_id"]): comparable(row) for row in rows}


def comparable(row: dict[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in row.items()
        if name not in {"as_of", "blocked", "negative_since"}
    }


def expected_digests() -> dict[str, str]:
    rows = [line.split() for part in SETS for line in read(f"{part}/expected-keys.txt")]
    return {key: digest for digest, key in rows}


def digests(objects: dict[str, observed.LoggedObject]) -> dict[str, str]:
    return {key: logged.sha256 for key, logged in objects.items()}


@dataclass(frozen=True)
class Orders:
    """A stack that has all merchants, and what its commands are asked."""

    stack: LocalStack

    @property
    def target(self) -> Target:
        return self.stack.target

    def load_merchants(self) -> "Orders":
        for part in SETS:
            done = self.stack.falcon("merchants", "load", str(DATA / part / "merchants.jsonl"))
            assert done.returncode == 0, done.stderr
        return self

    def send(self, stage: str, file: Path, *options: str) -> dict[str, Any]:
        done = self.stack.falcon(
            "psp", "send", "--stage", stage, "--wait", "--json", *options, str(file)
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def send_file(self, part: str, name: str, *options: str) -> dict[str, Any]:
        """Line by line where one builds upon the other: a return upon its payout."""
        stage, file = name.partition("-")[0], DATA / part / f"{name}.jsonl"
        if stage != "payout":
            return self.send(stage, file, *options)
        answers = [self.send_line(stage, line, *options) for line in read(f"{part}/{name}.jsonl")]
        return {
            key: sum((answer[key] for answer in answers), type(answers[0][key])())
            for key in ("sent", "counted", "quarantined", "pending", "quarantine")
        }

    def send_line(self, stage: str, line: str, *options: str) -> dict[str, Any]:
        with NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write(f"{line}\n")
            file.flush()
            return self.send(stage, Path(file.name), *options)

    def balances(self) -> dict[tuple[str, str], dict[str, object]]:
        done = self.stack.falcon("balance", "--all", "--json")
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert {row["blocked"].strip("0.") for row in rows} == {""}
        return {(row["merchant_id"], row["balance_shop_id"]): comparable(row) for row in rows}


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    stack = LocalStack(tmp_path_factory.mktemp("orders") / "home")
    try:
        yield Orders(stack.up()).load_merchants()
    finally:
        stack.down()


@pytest.fixture(scope="module")
def answers(orders):
    """What `falcon psp send --wait` said about each file, sent in the order of the data."""
    return {
        (part, name): orders.send_file(part, name, *(("--no-check",) if part == "edges" else ()))
        for part, name in FILES
    }


@pytest.fixture(scope="module")
def first_log(orders, answers):
    return observed.log_objects(orders.target)


def test_every_line_is_counted_or_refused_as_expected(answers):
    expected: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for line in map(json.loads, read("edges/expected-refused.jsonl")):
        expected.setdefault(("edges", line["stage"]), []).append((line["line"], line["code"]))
    for name, answer in answers.items():
        refused = [(each["line"], each["code"]) for each in answer["quarantine"]]
        assert refused == expected.get(name, [])
        sent = len(read(f"{name[0]}/{name[1]}.jsonl"))
        counts = (answer["sent"], answer["counted"], answer["quarantined"], answer["pending"])
        assert counts == (sent, sent - len(refused), len(refused), 0)


def test_every_balance_is_as_expected(orders, answers):
    assert orders.balances() == expected_balances()


def test_every_log_object_has_the_expected_key_and_bytes(first_log):
    assert digests(first_log) == expected_digests()


def test_every_log_object_says_which_event_and_contexts_it_came_from(first_log):
    for logged in first_log.values():
        assert set(logged.metadata) == {"fingerprint", "schema_version", "context_version"}


def test_a_known_identity_with_another_content_is_refused_and_changes_nothing(orders, first_log):
    answer = orders.send("confirmed", DATA / "edges/confirmed-late.jsonl")
    assert [each["code"] for each in answer["quarantine"]] == ["E_ID_CONFLICT"]
    assert orders.balances() == expected_balances()
    assert observed.log_objects(orders.target) == first_log


def test_the_same_files_again_and_shuffled_change_nothing(orders, first_log, tmp_path):
    claims, marks = observed.claims(orders.target), observed.marks(orders.target)
    order = random.Random(2)
    for stage in STAGES:
        lines = [line for part in SETS for line in read(f"{part}/{stage}.jsonl")]
        order.shuffle(lines)
        file = tmp_path / f"{stage}.jsonl"
        file.write_text("\n".join(lines) + "\n")
        assert orders.send(stage, file, "--no-check")["pending"] == 0
    for name in LATER:
        assert orders.send_file("edges", name)["pending"] == 0
    assert orders.balances() == expected_balances()
    # The same versions, bytes, metadata and times of writing: no PUT has happened.
    assert observed.log_objects(orders.target) == first_log
    assert (observed.claims(orders.target), observed.marks(orders.target)) == (claims, marks)


@pytest.fixture(scope="module")
def auditor(orders, answers, tmp_path_factory):
    """Who has everything in a folder, sealed."""
    auditor = Auditor(orders.stack, tmp_path_factory.mktemp("auditor"))
    objects = len(expected_digests())
    observed.wait_until(
        lambda: auditor.ask("seal")["left"] == 0 and sealed(auditor) == objects, what="sealed"
    )
    return auditor


def sealed(auditor):
    auditor.fetch()
    manifests = sorted((auditor.folder / "manifests").glob("*.jsonl"))
    return sum(each.read_text().count('"leaf":"object"') for each in manifests)


def test_an_auditor_replays_verifies_and_finds_the_same(auditor):
    said = auditor.ask("replay", "--balances", "--log", auditor.log)
    assert said["findings"] == []
    rows = {(row["merchant_id"], row["balance_shop_id"]): row for row in said["balances"]}
    assert rows == expected_balances()
    done = auditor.verify()
    assert (done["problems"], done["objects"]) == ([], len(expected_digests()))
    verified = {(row["merchant_id"], row["balance_shop_id"]): row for row in done["balances"]}
    assert verified == expected_balances()
    assert auditor.ask("compare")["differences"] == []


def test_closed_days_give_the_same_as_the_log_and_the_table(auditor):
    closed = auditor.close_days()
    said = auditor.ask("replay", "--balances", "--log", closed)
    assert said["findings"] == []
    rows = {(row["merchant_id"], row["balance_shop_id"]): row for row in said["balances"]}
    assert rows == expected_balances()
    assert auditor.ask("compare", "--log", closed)["differences"] == []


def test_the_trial_balance_of_all_orders_is_zero(auditor):
    totals: dict[str, int] = {}
    for row in auditor.ask("trial-balance", "--log", auditor.log)["accounts"]:
        minor = int(row["balance"].replace(".", ""))
        totals[row["currency"]] = totals.get(row["currency"], 0) + minor
    assert set(totals.values()) == {0}


def test_other_people_s_tools_confirm_every_balance_of_all_orders(auditor):
    beancount, hledger = auditor.journal("beancount"), auditor.journal("hledger")
    assert beancount_says(beancount) == []
    assert "Balance failed" in "".join(beancount_says(with_a_cent(beancount)))
    assert hledger_says(hledger) == ""
    assert HLEDGER is None or "assertion" in hledger_says(with_a_cent(hledger))


def test_a_settlement_file_matches_and_a_cent_a_missing_and_an_extra_line_are_reported(
    auditor, tmp_path
):
    names = [*(f"{part}/reconciled" for part in SETS), "edges/reconciled-revisions"]
    traced = [json.loads(line) for name in names for line in read(f"{name}.jsonl")]
    # What the bank says in the end is the last revision.
    by_reference = {each["external_reference"]: each for each in traced}
    events = [each for each in by_reference.values() if each["amount"].strip("0.")]
    header, *rows = settlement(events)
    rng = random.Random(9)

    def reconcile(some: list[str], exit_code: int = 3) -> Any:
        path = tmp_path / "settlement.csv"
        path.write_text("\n".join([header, *some]) + "\n")
        arguments = ("reconcile", "--statement", path, "--log", auditor.log)
        said = auditor.ask(*arguments, exit_code=exit_code)
        return said["matched"], [(each["difference"], each["reference"]) for each in said["open"]]

    assert reconcile(rows, exit_code=0) == (len(events), [])
    for n in rng.sample(range(len(rows)), 3):
        reference = events[n]["external_reference"]
        one_less = len(events) - 1
        changed = [*rows[:n], with_another_cent(rows[n]), *rows[n + 1 :]]
        assert reconcile(changed) == (one_less, [("different_amount", reference)])
        assert reconcile(rows[:n] + rows[n + 1 :]) == (one_less, [("ours_only", reference)])
        extra = f"nobody-knows,{rows[n].partition(',')[2]}"
        assert reconcile([*rows, extra]) == (len(events), [("theirs_only", "nobody-knows")])


def test_both_stages_mixed_into_a_fresh_stack_give_the_same(first_log, fresh_stack):
    """Slices in random order, reconciled ones first, both queues worked on at once."""
    mixed = Orders(fresh_stack()).load_merchants()
    target = mixed.target
    with ThreadPoolExecutor(len(STAGES)) as pool:
        for number, (stage, texts) in enumerate(mixed_slices()):
            sending = pool.submit(observed.send, target, stage, texts)
            if number == 0:  # some operations are reconciled before they are confirmed
                sending.result()
                observed.wait_until(lambda: observed.marks(target), what="first segments counted")
    observed.drain(target)
    for name in LATER:
        mixed.send_file("edges", name)
    assert mixed.balances() == expected_balances()
    assert observed.contents(observed.log_objects(target)) == observed.contents(first_log)


def mixed_slices() -> list[tuple[str, list[str]]]:
    order = random.Random(3)
    by_stage = {}
    for stage in STAGES:
        lines = [line for part in SETS for line in read(f"{part}/{stage}.jsonl")]
        order.shuffle(lines)
        by_stage[stage] = [lines[at : at + SLICE] for at in range(0, len(lines), SLICE)]
    first = ("reconciled", by_stage["reconciled"].pop(0))
    rest = [(stage, texts) for stage, slices in by_stage.items() for texts in slices]
    order.shuffle(rest)
    return [first, *rest]
