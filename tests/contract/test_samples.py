"""Every sample ever published keeps its outcome, as the files on disk say it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from falcon_balances.contracts.balance_document import BalanceDocumentV1
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.context_samples import CONTEXT_SAMPLES
from falcon_balances.contracts.execution import SplitMessage, SplitterInput, ValidMessage
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.contracts.payouts import PayoutOutcomeV1
from falcon_balances.contracts.refused_samples import refused_samples
from falcon_balances.contracts.samples import (
    CONTRACT_BY_STAGE,
    DIRECT_SAMPLES,
    EVENT_SAMPLES,
    SENT_AT,
    claim_sample,
)
from falcon_balances.contracts.schemas import ACCEPTED, REFUSED_INDEX, SCHEMAS
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.contracts.stream_records import CutRecordV1, SegmentRecordV1
from falcon_balances.contracts.stream_records import parse_stream_record as parse_record
from falcon_balances.domain.blocks import LoggedMoney
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.identity import event_document, falcon_operation_id
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.operations import PspOperation, Stage
from falcon_balances.domain.splitting import split
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.storage import (
    MemoryEventClaims,
    MemoryMerchantDirectory,
    MemoryPayoutClaims,
)
from lambdas.payout_decider.handler import DeciderPorts, decide_payouts
from lambdas.persister.deciding import WAIT_MAX, decide

CONTEXTS = [
    parse_merchant_context(json.loads(path.read_bytes()))
    for path in sorted((SCHEMAS / ACCEPTED / "merchant-context").glob("*.json"))
]
HISTORIES = {context.key: [context] for context in CONTEXTS}
_WRITTEN_BY_US: dict[str, type[BaseModel]] = {
    "claim": ClaimV1,
    "balance-document": BalanceDocumentV1,
    "payout-outcome": PayoutOutcomeV1,
}
STAGE_BY_CONTRACT = {contract: stage for stage, contract in CONTRACT_BY_STAGE.items()}


def paths(folder: str) -> list[Path]:
    return sorted((SCHEMAS / folder).rglob("*.json"))


def validator(contract: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{contract}.v1.schema.json").read_bytes())
    return Draft202012Validator(schema)


def process(contract: str, raw: bytes, *claimed: str) -> None:
    """As the pipeline does, long after these samples were claimed."""
    if contract == "segment-record":
        record = parse_record(raw)
        assert isinstance(record, SegmentRecordV1)
        record.to_segment()
        return
    if contract in DIRECT_SAMPLES:
        process_payout(raw)
        return
    stage = STAGE_BY_CONTRACT[contract]
    operation = parse_message(raw, stage, mode="test", sent_at=SENT_AT)
    assert isinstance(operation, PspOperation)
    claim = ClaimV1.of(operation, rfc3339(SENT_AT), split(operation, HISTORIES))
    claims = MemoryEventClaims()
    for name in claimed:
        claims.claim(claim_sample(name))
    decide(claims, SplitMessage(message_id="1", claim=claim), SENT_AT + 2 * WAIT_MAX)


def process_payout(raw: bytes) -> None:
    """By the decider, which has paid nothing yet."""
    operation = parse_message(raw, Stage.PAYOUT, mode="test", sent_at=SENT_AT)
    directory = MemoryMerchantDirectory()
    directory.named["m-books"] = Merchant(frozenset({("bs-books-eur", "EUR")}))
    message = ValidMessage(
        message_id="1", received_at="2026-03-09T08:00:00Z", event=event_document(operation)
    )
    step = SplitterInput(stage=Stage.PAYOUT, messages=(message,))
    claims = MemoryPayoutClaims(MemoryEventClaims(), MemoryBalanceStore())
    world = DeciderPorts(claims, read_log=lambda _block: LoggedMoney(0, 0), now=SENT_AT)
    (decided,) = decide_payouts(step, directory, world).messages
    if decided.rejection is not None:
        raise RejectedOperation(decided.rejection.code, decided.rejection.reason)


@pytest.mark.parametrize(
    "path", paths(ACCEPTED), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_an_accepted_sample_is_accepted_by_its_schema_and_by_the_code(path):
    contract, raw = path.parent.name, path.read_bytes()
    document = json.loads(raw)
    validator(contract).validate(document)
    if contract in STAGE_BY_CONTRACT or contract == "segment-record":
        process(contract, raw, "plain-capture", "settled-short")
    elif contract in DIRECT_SAMPLES:
        stage, _ = DIRECT_SAMPLES[contract]
        assert parse_message(raw, stage, mode="test", sent_at=SENT_AT)
    elif contract == "merchant-context":
        assert parse_merchant_context(document)
    elif contract == "cut-record":
        cut = parse_record(raw)
        assert isinstance(cut, CutRecordV1)
        assert cut.to_cut()
    else:
        model: type[BaseModel] = _WRITTEN_BY_US[contract]
        assert model.model_validate_json(raw).model_dump(mode="json") == document


INDEX: list[dict[str, Any]] = json.loads((SCHEMAS / REFUSED_INDEX).read_bytes())


def published(entry: dict[str, Any]) -> bytes:
    path: Path = SCHEMAS / entry["file"]
    return path.read_bytes().ljust(entry.get("padded_with_spaces_to_bytes", 0))


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: Path(entry["file"]).stem)
def test_a_refused_sample_is_refused_with_its_code(entry):
    with pytest.raises(RejectedOperation) as caught:
        process(entry["contract"], published(entry), "plain-capture")
    assert caught.value.code == entry["code"]


def test_there_is_a_refused_sample_for_every_code_and_a_file_for_each():
    assert list(dict.fromkeys(entry["code"] for entry in INDEX)) == list(RejectionCode)
    assert [published(entry) for entry in INDEX] == [item.raw for item in refused_samples()]
    files = {entry["file"] for entry in INDEX}
    on_disk = {path.relative_to(SCHEMAS).as_posix() for path in paths("samples/refused")}
    assert on_disk - {REFUSED_INDEX} == {name for name in files if "refused" in name}


# What the schema cannot say: bytes, instants that exist, sums, other events, contexts, currencies.
NOT_IN_A_SCHEMA = {
    "E_SIZE",
    "E_DUP_KEY",
    "E_DATE-original-after-the-refund",
    "E_DATE-before-2000",
    "E_FUTURE",
    "E_SPLIT_SUM",
    "E_SCALE",
    "E_UNKNOWN_MERCHANT",
    "E_MERCHANT_INACTIVE",
    "E_NO_BALANCE_SHOP",
    "E_NOT_PAID",
    "E_REVISION",
    "E_ID_CONFLICT",
    "E_RECORD",
}


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: Path(entry["file"]).stem)
def test_a_schema_refuses_what_a_schema_can(entry):
    is_valid = validator(entry["contract"]).is_valid(json.loads(published(entry)))
    assert is_valid is bool({entry["code"], Path(entry["file"]).stem} & NOT_IN_A_SCHEMA)


def test_the_samples_show_what_a_newcomer_looks_for():
    said = [document for _, document in EVENT_SAMPLES.values()]
    assert {document["currency"] for document in said} == {"EUR", "JPY", "BHD"}
    kinds = {"capture", "refund", "chargeback", "chargeback_reversal", "cashback"}
    assert {document["type"] for document in said} == kinds
    assert {stage for stage, _ in EVENT_SAMPLES.values()} == set(STAGE_BY_CONTRACT.values())
    assert any("splits" in document for document in said)
    fees = [fee for context in CONTEXT_SAMPLES.values() for fee in context["fees"]]
    assert {"percent", "fixed", "min", "max"} <= {name for fee in fees for name in fee}


def test_no_two_samples_are_the_same_operation_with_another_content():
    identities = []
    for stage, document in EVENT_SAMPLES.values():
        raw = json.dumps(document).encode()
        operation = parse_message(raw, stage, mode="live", sent_at=SENT_AT)
        assert isinstance(operation, PspOperation)
        identities.append((falcon_operation_id(operation), stage, operation.revision))
    assert len(identities) == len(set(identities))
