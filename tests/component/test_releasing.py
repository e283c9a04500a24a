"""`falcon ops quarantine release` on moto: refused messages again, and revisions in their order."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from falcon_balances.adapters import event_topic
from falcon_balances.adapters.aws import client
from falcon_balances.cli import ops
from falcon_balances.cli.main import app
from inprocess.aws import CLAIMS_TABLE, QUARANTINE_BUCKET
from lambdas.persister import handler as persister
from lambdas.persister.deciding import WAIT_MAX
from tests.builders import SENT_AT, confirmed, context_of, operation_id_of, raw


def revised(revision: int, amount: str) -> bytes:
    said = {"revision": revision, "revised_at": "2026-11-20T10:19:00Z", "amount": amount}
    return raw(confirmed(**said))


@pytest.fixture
def released(aws, monkeypatch):
    """Runs the command; what it sends lands with the dispatcher at once. Its exit code."""
    sent: list[bytes] = []
    target = SimpleNamespace(
        client=client,
        quarantine_bucket=QUARANTINE_BUCKET,
        claims_table=CLAIMS_TABLE,
        topic=lambda stage: stage,
    )
    monkeypatch.setattr(ops, "find_target", lambda _env: target)
    monkeypatch.setattr(
        event_topic,
        "publish",
        lambda _sns, _topic, texts, _advance: sent.extend(text.encode() for text in texts),
    )

    def run(*words: str) -> tuple[int, list[bytes]]:
        sent.clear()
        answer = CliRunner().invoke(app, ["ops", "quarantine", "release", *words])
        return (1 if answer.exception else 0), list(sent)

    return run


def key_of(aws, body: bytes) -> str:
    [key] = {refused.key for refused in aws.quarantined() if refused.body == body}
    return str(key)


@pytest.fixture
def late(aws, monkeypatch):
    """The persister looks at everything a day after it was sent."""
    now = SENT_AT + WAIT_MAX + timedelta(hours=1)
    monkeypatch.setattr(persister, "utc_now", lambda: now)
    return aws


def test_releasing_a_predecessor_releases_those_behind_it_in_order(late, released):
    first, second, third = raw(confirmed()), revised(2, "80.00"), revised(3, "70.00")
    for body in (third, second, first):  # the merchant is not loaded yet
        assert late.dispatch(body) == []
    late.load(context_of())
    assert late.dispatch(third, second) == []  # refused once more, as revisions
    assert released(key_of(late, first)) == (0, [first, second, third])
    assert late.dispatch(first, second, third) == []
    late.drain()
    assert late.balance()["confirmed"] == 7000


def test_what_is_no_event_is_sent_again_alone(aws, released):
    assert aws.dispatch(b"nonsense") == []
    assert released(key_of(aws, b"nonsense")) == (0, [b"nonsense"])


@pytest.mark.parametrize("key", ["stream/date=2026-11-20/x", "confirmed/date=2026-11-20/nothing"])
def test_a_key_that_cannot_be_released_sends_nothing(aws, released, key):
    assert released(key) == (1, [])


def test_a_dry_run_sends_nothing(aws, released):
    assert aws.dispatch(b"nonsense") == []
    assert released(key_of(aws, b"nonsense"), "--dry-run") == (0, [])


def test_a_person_lets_a_revision_pass_without_its_predecessor(late, released):
    late.load(context_of())
    body = revised(3, "70.00")
    assert late.dispatch(raw(confirmed()), body) == []
    key = key_of(late, body)
    assert released(key, "--without-predecessor") == (1, [])
    assert released(key, "--without-predecessor", "--by", "ops-anna") == (0, [body])
    assert late.dispatch(body) == []
    late.drain()
    assert late.balance()["confirmed"] == 7000
    # The number that was skipped is taken: what comes under it is another content.
    assert late.dispatch(revised(2, "80.00")) == []
    assert "E_ID_CONFLICT" in {refused.code for refused in late.quarantined()}
    claims = {claim.staged: claim for claim in late.claims()}
    assert claims["confirmed.2"].skipped_by == "ops-anna"
    assert claims["confirmed.2"].falcon_operation_id == operation_id_of(confirmed())


def test_a_first_event_has_no_predecessor_to_skip(late, released):
    first = raw(confirmed())
    assert late.dispatch(first) == []
    words = (key_of(late, first), "--without-predecessor", "--by", "ops-anna")
    assert released(*words) == (1, [])
