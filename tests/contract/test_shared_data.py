"""Compares with balances, keys and bytes that separate arithmetic worked out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from falcon_balances.contracts.balance_document import BalanceV1
from falcon_balances.contracts.currencies import find_currency
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.balances import Balance, fold
from falcon_balances.domain.direct_operations import DirectOperation
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.identity import falcon_operation_id, fingerprint
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.merchant_context import (
    ContextKey,
    Merchant,
    MerchantContext,
    merchants_of,
)
from falcon_balances.domain.operations import PSP_STAGES, PspOperation, Segment, Stage, staged
from falcon_balances.domain.revising import Revision, Truth, revise, truth_of
from falcon_balances.domain.splitting import split, split_direct

DATA = Path(__file__).parents[2].parent / "shared/data"
SENT_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no data to compare with in {DATA}"),
]


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.is_file() else []


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(path)]


@dataclass
class Folded:
    """What the files of a data set come to, stage by stage."""

    folder: Path
    histories: dict[ContextKey, list[MerchantContext]] = field(default_factory=dict)
    claims: dict[tuple[str, str], str] = field(default_factory=dict)
    truths: dict[tuple[str, str], Truth] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    merchants: dict[str, Merchant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        contexts = [parse_merchant_context(row) for row in rows(self.folder / "merchants.jsonl")]
        for context in sorted(contexts, key=lambda context: context.effective_from):
            self.histories.setdefault(context.key, []).append(context)
        self.merchants = merchants_of(contexts)
        for stage in PSP_STAGES:
            self.send(stage, f"{stage}.jsonl")
        for stage in PSP_STAGES:
            self.send(stage, f"{stage}-revisions.jsonl")
        for stage in (Stage.ADJUSTMENT, Stage.PAYOUT):
            self.send(stage, f"{stage}.jsonl")

    def send(self, stage: Stage, name: str) -> None:
        for number, line in enumerate(lines(self.folder / name), start=1):
            try:
                for segment in self.claimed(line, stage):
                    self.segments[log_key(segment)] = segment
            except RejectedOperation as rejected:
                entry = {"stage": str(stage), "line": number, "code": str(rejected.code)}
                self.refused.append(entry)

    def claimed(self, line: bytes, stage: Stage) -> tuple[Segment, ...]:
        operation = parse_message(line, stage, mode="test", sent_at=SENT_AT)
        if isinstance(operation, DirectOperation):
            event = split_direct(operation, self.merchants.get(operation.merchant_id))
        else:
            event = split(operation, self.histories)
        revision = operation.revision if isinstance(operation, PspOperation) else 1
        identity = (falcon_operation_id(operation), staged(stage, revision))
        if self.claims.setdefault(identity, fingerprint(operation)) != fingerprint(operation):
            raise RejectedOperation(RejectionCode.ID_CONFLICT, "known already")
        truth = self.truths[identity] = truth_of(event.segments)
        if not isinstance(operation, PspOperation) or operation.revised_at is None:
            return event.segments
        before = self.truths[identity[0], staged(stage, revision - 1)]
        revised = Revision(identity[0], stage, revision, operation.revised_at)
        return revise(revised, before, truth)

    def balances(self) -> Iterator[dict[str, Any]]:
        for (merchant_id, balance_shop_id, code), counters in fold(self.segments.values()).items():
            currency = find_currency(code)
            assert currency is not None
            balance = Balance.from_counters(balance_shop_id, currency, counters)
            yield {"merchant_id": merchant_id, **BalanceV1.of(balance).model_dump()}


@pytest.fixture(scope="module", params=["edges", "olist"])
def folded(request: pytest.FixtureRequest) -> Folded:
    return Folded(DATA / request.param)


def test_every_log_key_and_every_byte_is_as_expected(folded: Folded):
    expected = {
        key: digest
        for digest, key in (
            line.decode().split("  ") for line in lines(folded.folder / "expected-keys.txt")
        )
    }
    written = {
        key: sha256(csv_body(segment).encode()).hexdigest()
        for key, segment in folded.segments.items()
    }
    assert expected
    assert written == expected


def test_every_refusal_is_as_expected(folded: Folded):
    assert folded.refused == rows(folded.folder / "expected-refused.jsonl")


def test_every_balance_is_as_expected(folded: Folded):
    counted = {(row["merchant_id"], row["balance_shop_id"]): row for row in folded.balances()}
    expected = rows(folded.folder / "expected.jsonl")
    assert len(expected) == len(counted)
    for row in expected:
        ours = counted[row["merchant_id"], row["balance_shop_id"]]
        for name in row:
            assert ours[name] == row[name], (row["merchant_id"], name)


def test_a_known_identity_with_another_content_is_a_conflict():
    edges = Folded(DATA / "edges")
    before = len(edges.refused)
    edges.send(Stage.CONFIRMED, "confirmed-late.jsonl")
    assert [entry["code"] for entry in edges.refused[before:]] == ["E_ID_CONFLICT"]
    assert edges.segments == Folded(DATA / "edges").segments
