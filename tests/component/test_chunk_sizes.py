"""Chunk sizes: no step of an execution ever makes more than its state can hold (256 KiB)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.currencies import find_currency
from falcon_balances.contracts.execution import SplitterInput, ValidMessage
from falcon_balances.contracts.stored_claims import SAID, read_stored, stored
from falcon_balances.domain.identity import event_document
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_grammar import BODY_BYTES_MAX, LINES_MAX
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.marked_segments import marked_segment
from falcon_balances.domain.merchant_context import MerchantContext
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import PspOperation, Segment, Stage
from falcon_balances.domain.parts import ArrivedSegment, countable_parts
from falcon_balances.domain.revising import Revision, revise, truth_of
from falcon_balances.domain.splitting import split
from falcon_balances.domain.table_writes import PutStanding
from falcon_balances.domain.transactions import joined
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.storage import (
    MemoryAuthorizations,
    MemoryEventClaims,
    MemoryMerchantDirectory,
    MemoryTransactionLog,
)
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.dispatcher.chunking import chunks, output_bytes_max
from lambdas.persister.handler import persist
from lambdas.publisher.handler import publish
from lambdas.splitter.handler import split_messages
from tests.builders import (
    RECEIVED_AT,
    SENT_AT,
    claim_of,
    context_of,
    fee_of,
    histories_of,
    operation_of,
)

STATE_BYTES_MAX = 256 * 1024
ITEM_BYTES_MAX = 400 * 1024  # of DynamoDB
WORST_BYTES_MAX = 210_000
MESSAGE_ID = "059f36b4-87a3-44ab-83d2-661975830a7d"


@dataclass(frozen=True)
class Shape:
    """How large an event is in every respect: 40 splits of 64-character ids are the most."""

    splits: int = 40
    id_length: int = 64
    fees: int = 5
    merchants: int = 41
    currency: str = "CLF"  # four decimals
    digits: int = 13
    has_marketplace_fee: bool = True
    type: str = "chargeback_reversal"
    is_revision: bool = False
    shops_from: int = 0
    stage: Stage = Stage.RECONCILED

    def id(self, name: str) -> str:
        return name.ljust(self.id_length, "x")[:64]

    def reference(self, name: str) -> str:
        return name.ljust(2 * self.id_length, "x")[:128]

    @property
    def exponent(self) -> int:
        currency = find_currency(self.currency)
        assert currency is not None
        return currency.exponent

    def amount(self, parts: int = 1) -> str:
        return at_full_scale(int("2" * self.digits) * 10**self.exponent * parts, self.exponent)

    def event(self, number: int = 0) -> dict[str, Any]:
        document: dict[str, Any] = {
            "schema_version": "1",
            "psp_id": self.id("psp"),
            "external_reference": self.reference(f"ref-{number}-"),
            "original_reference": self.reference("original"),
            "mode": "test",
            "type": self.type,
            "currency": self.currency,
            "amount": self.amount(max(1, self.splits)),
            "operation_date": "2026-11-20T10:15:30Z",
            **self.named(0),
        }
        if self.splits:
            fee = {"marketplace_fee": self.amount()} if self.has_marketplace_fee else {}
            document["splits"] = [
                self.named(n) | {"amount": self.amount()} | fee for n in range(1, self.splits + 1)
            ]
        if self.is_revision:
            document |= {"revision": 2, "revised_at": "2026-11-20T10:19:00Z"}
        if self.stage is Stage.RECONCILED:
            document |= {
                "reconciled_date": "2026-11-20T10:18:00Z",
                "bank_reference": self.reference("bank"),
            }
        return document

    def named(self, n: int) -> dict[str, str]:
        shop = self.shops_from + n
        return {"local_merchant_id": self.id(f"local-{shop}-"), "shop_id": self.id(f"shop-{shop}-")}

    def contexts(self) -> list[MerchantContext]:
        fees = [
            fee_of("100", on=self.type, fixed={self.currency: "9" * 14}) for _ in range(self.fees)
        ]
        return [
            context_of(
                psp_id=self.id("psp"),
                **self.named(n),
                merchant_id=self.id(f"m-{n % self.merchants}-"),
                balance_shops={self.currency: self.id(f"bs-{self.shops_from + n}-")},
                effective_from=f"2026-01-01T00:00:{n:02d}Z",
                fees=fees,
            )
            for n in range(self.splits + 1)
        ]


def message_of(shape: Shape, number: int = 0) -> tuple[PspOperation, ValidMessage]:
    operation = operation_of(shape.event(number))
    document = event_document(operation)
    return operation, ValidMessage(message_id=MESSAGE_ID, received_at=RECEIVED_AT, event=document)


def bytes_of_steps(shape: Shape, messages: list[ValidMessage]) -> list[int]:
    """What each step of an execution takes or makes, as the JSON that it is."""
    directory = MemoryMerchantDirectory()
    directory.contexts |= histories_of(*shape.contexts())
    given_to = SplitterInput(stage=shape.stage, messages=tuple(messages))
    split_up = split_messages(given_to, directory)
    claims, log = MemoryEventClaims(), MemoryTransactionLog()
    authorizations = MemoryAuthorizations(MemoryBalanceStore())
    persisted = persist(split_up, claims, log, authorizations, SENT_AT)
    published = publish(persisted, MemoryBalanceStream(lambda: SENT_AT), claims, log)
    steps = (given_to, split_up, persisted, published)
    assert not any(message.rejection for message in persisted.messages)
    return [len(json.dumps(step.model_dump(mode="json")).encode()) for step in steps]


SHAPES = st.builds(
    Shape,
    splits=st.integers(0, 40),
    id_length=st.sampled_from([1, 20, 63, 64]),
    fees=st.integers(0, 5),
    merchants=st.sampled_from([1, 2, 7, 41]),
    currency=st.sampled_from(["EUR", "JPY", "BHD", "CLF"]),
    digits=st.integers(1, 13),
    has_marketplace_fee=st.booleans(),
    type=st.sampled_from(["capture", "refund", "chargeback", "chargeback_reversal", "cashback"]),
    stage=st.sampled_from([Stage.CONFIRMED, Stage.RECONCILED]),
    is_revision=st.booleans(),
)


@settings(max_examples=200, deadline=None)
@example(Shape())
@example(Shape(merchants=1))
@example(Shape(splits=0, digits=15, merchants=1))
@example(Shape(splits=1, digits=15))
@given(SHAPES)
def test_no_step_makes_more_of_an_event_than_its_bound_says(shape):
    operation, message = message_of(shape)
    assert max(bytes_of_steps(shape, [message])) <= output_bytes_max(operation)


@pytest.mark.parametrize("merchants", [1, 2, 41])
def test_the_worst_message_alone_stays_well_below_what_a_state_holds(merchants):
    shape = Shape(merchants=merchants)
    for is_revision in (False, True):
        worst = replace(shape, is_revision=is_revision)
        operation, message = message_of(worst)
        assert max(bytes_of_steps(worst, [message])) < WORST_BYTES_MAX
        assert output_bytes_max(operation) < WORST_BYTES_MAX


def worst_claims(merchants: int) -> Iterator[tuple[ClaimV1, Sequence[Segment]]]:
    """Of forty splits, and of a revision that gives all of them to other shops."""
    first, second = (
        Shape(merchants=merchants),
        Shape(merchants=merchants, is_revision=True, shops_from=41),
    )
    one, two = (operation_of(shape.event()) for shape in (first, second))
    before = split(one, histories_of(*first.contexts()))
    yield ClaimV1.of(one, RECEIVED_AT, before), before.segments
    after = split(two, histories_of(*second.contexts()))
    assert two.revised_at is not None
    revision = Revision(after.falcon_operation_id, two.stage, two.revision, two.revised_at)
    truth = truth_of(after.segments)
    segments = revise(revision, truth_of(before.segments), truth)
    yield ClaimV1.of(two, RECEIVED_AT, after).saying(segments, truth), segments


@pytest.mark.parametrize("merchants", [1, 2, 41])
def test_the_worst_claims_and_marks_are_far_below_what_an_item_may_hold(merchants):
    for claim, segments in worst_claims(merchants):
        item = stored(claim)
        assert len(item[SAID]) < ITEM_BYTES_MAX / 4
        assert read_stored(item) == claim
        for segment in segments:
            arrived = ArrivedSegment(segment, SENT_AT, log_key(segment), claim.fingerprint)
            parts, [standing] = joined(countable_parts(arrived), {})
            mark = parts[0].mark
            assert marked_segment(mark.key, mark.attributes).lines == segment.lines
            assert all(item_bytes(part.mark.attributes) < ITEM_BYTES_MAX / 10 for part in parts)
            assert isinstance(standing, PutStanding)
            assert item_bytes(standing.attributes) < ITEM_BYTES_MAX / 10


def test_the_worst_log_object_just_keeps_the_grammar_s_limits():
    (_, [first]), (_, [revised]) = worst_claims(merchants=1)
    assert (len(first.lines), len(revised.lines)) == (LINES_MAX, 242)
    assert len(csv_body(revised)) < len(csv_body(first)) < 251_000 < BODY_BYTES_MAX
    assert BODY_BYTES_MAX < ITEM_BYTES_MAX


def item_bytes(attributes: Mapping[str, Any]) -> int:
    """More than DynamoDB counts: as JSON, with its marks of types."""
    return len(json.dumps(attributes))


def test_a_segment_that_rests_on_41_contexts_has_metadata_that_s3_takes():
    """2 KB: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""
    shape = Shape(merchants=1)
    claim = claim_of(shape.event(), *shape.contexts())
    [segment] = claim.segments
    metadata = claim.log_metadata(segment)
    assert metadata["context_version"].count("#") == 41
    assert sum(len(f"x-amz-meta-{name}{value}") for name, value in metadata.items()) <= 2048


@pytest.mark.parametrize("budget_bytes", [175_000, 220_000])
@pytest.mark.parametrize(
    "shape",
    [
        Shape(splits=0, digits=15, merchants=1),
        Shape(splits=0, fees=0, id_length=1, merchants=1),
        Shape(splits=3),
        Shape(splits=20),
        Shape(),
    ],
    ids=str,
)
def test_a_full_chunk_stays_below_what_a_state_holds(shape, budget_bytes):
    messages = [message_of(shape, number) for number in range(60)]
    sized = [(output_bytes_max(operation), message) for operation, message in messages]
    cut_up = list(chunks(sized, budget_bytes))
    assert [message for chunk in cut_up for message in chunk] == [m for _, m in messages]
    largest = max(cut_up, key=len)
    assert max(bytes_of_steps(shape, largest)) < STATE_BYTES_MAX


@given(st.lists(st.integers(1, 250_000), max_size=50), st.integers(175_000, 220_000))
def test_chunks_keep_the_order_lose_nothing_and_are_as_few_as_the_budget_allows(sizes, budget):
    _, message = message_of(Shape(splits=0))
    sized = [
        (size, message.model_copy(update={"message_id": str(n)})) for n, size in enumerate(sizes)
    ]
    found = [[int(m.message_id) for m in chunk] for chunk in chunks(sized, budget)]
    assert [n for chunk in found for n in chunk] == list(range(len(sizes)))
    assert all(len(chunk) == 1 or sum(sizes[n] for n in chunk) <= budget for chunk in found)
    for chunk, after in pairwise(found):
        assert sum(sizes[n] for n in chunk) + sizes[after[0]] > budget
