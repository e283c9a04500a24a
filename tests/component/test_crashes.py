"""A crash between claim and PUT: what was claimed counts, whatever has changed since."""

from dataclasses import replace

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.domain.money import Money
from falcon_balances.domain.splitting import split
from lambdas.persister import handler as persister
from lambdas.splitter import handler as splitter
from tests.builders import claim_of, confirmed, context_of, fee_of, raw
from tests.component.conftest import forget_adapters

BEFORE = context_of(fees=[fee_of("1.00")])
MESSAGE = raw(confirmed())
CLAIMED = claim_of(confirmed(), BEFORE)


class CrashError(Exception):
    """The function is gone: the state machine sees an error that it knows nothing of."""


class CrashingS3:
    def put_object(self, **_: object) -> None:
        raise CrashError


@pytest.fixture
def crashed(aws, monkeypatch):
    """The event is claimed by the context of before; nothing of it is in the log yet."""
    aws.load(BEFORE)
    with monkeypatch.context() as patch:
        patch.setattr(
            persister, "client", lambda name: CrashingS3() if name == "s3" else client(name)
        )
        assert aws.dispatch(MESSAGE) == ["message-0"]
    assert len(aws.claims()) == 1
    assert aws.log() == {}
    forget_adapters()
    return aws


def assert_the_claim_counts(world) -> None:
    claims = world.claims()
    assert world.dispatch(MESSAGE) == []
    world.drain()
    assert world.claims() == claims
    assert world.log() == {
        segment.log_key: CLAIMED.body_of(segment) for segment in CLAIMED.segments
    }
    assert [record["body"] for record in world.published()] == list(world.log().values())
    assert world.balance() == {"confirmed": 9900, "pending": 9900, "operations_count": 2}
    assert world.quarantined() == []


def test_the_same_message_again_is_persisted_as_claimed(crashed):
    assert_the_claim_counts(crashed)


@pytest.mark.parametrize(
    "after",
    [
        context_of(fees=[fee_of("50.00")]),
        context_of(fees=[]),
        context_of(status="inactive"),
        context_of(merchant_id="m-other"),
        context_of(balance_shops={"USD": "bs-usd"}),
        context_of(effective_from="2026-12-01T00:00:00Z"),
    ],
    ids=["fees", "no fees", "inactive", "another merchant", "no balance shop", "not yet in force"],
)
def test_a_context_changed_after_the_claim_changes_nothing(crashed, after):
    crashed.load(after)
    assert_the_claim_counts(crashed)


def test_a_context_removed_after_the_claim_changes_nothing(crashed):
    crashed.remove(BEFORE.key)
    assert_the_claim_counts(crashed)


def test_a_new_version_of_the_code_changes_nothing(crashed, monkeypatch):
    def split_differently(operation, histories, split=split):
        amount = Money(operation.amount.minor * 2, operation.amount.currency)
        return split(replace(operation, amount=amount), histories)

    monkeypatch.setattr(splitter, "split", split_differently)
    assert_the_claim_counts(crashed)


def test_another_content_after_the_crash_is_refused_and_the_claim_still_counts(crashed):
    assert crashed.dispatch(raw(confirmed(amount="1.00"))) == []
    [refused] = crashed.quarantined()
    assert refused.code == "E_ID_CONFLICT"
    assert crashed.log() == {}
    assert crashed.dispatch(MESSAGE) == []
    assert crashed.log() == {
        segment.log_key: CLAIMED.body_of(segment) for segment in CLAIMED.segments
    }
