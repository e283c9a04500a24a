"""The bytes that the sample events become, as `tests/golden/` keeps them.

They are promises to whoever reads the log, the stream and the claims, so no test run rewrites them.
After a change that is meant to alter them: `python -m tests.contract.golden --write`, and say why
in the commit.

`log/…` holds each log object under its own key; the other files hold a line for each thing.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.samples import (
    CUT_SAMPLE,
    EVENT_SAMPLES,
    VERSION_ID_SAMPLE,
    balance_document_sample,
    claim_sample,
)
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.contracts.stream_records import CutRecordV1, SegmentRecordV1
from falcon_balances.domain.identity import canonical_document
from falcon_balances.domain.operations import Stage
from tests.builders import Document, claim_of, context_of, marketplace

GOLDEN: Final = Path(__file__).parents[1] / "golden"

# What the published samples do not have. A line's uuid counts the lines of its type on its own
# balance, so each balance of one seller begins at 0.
TWO_BALANCES: Final = (
    context_of("market"),
    context_of("first", merchant_id="m-seller"),
    context_of("second", merchant_id="m-seller"),
)
MORE_EVENTS: Final[dict[str, Document]] = {
    "two-balances-of-a-seller": marketplace(
        [("first", "10.00", "1.00"), ("second", "20.00", "2.00"), ("first", "30.00", "3.00")],
        "60.00",
        external_reference="order-2001",
    ),
}


def golden_files() -> dict[str, bytes]:
    """Every file by its path below `tests/golden/`, as the code makes it now."""
    claims = {name: claim_sample(name) for name in EVENT_SAMPLES} | {
        name: claim_of(document, *TWO_BALANCES) for name, document in MORE_EVENTS.items()
    }
    records = [
        SegmentRecordV1.of(claim, segment, VERSION_ID_SAMPLE)
        for claim in claims.values()
        for segment in claim.segments
    ]
    return {
        "claims.jsonl": _lines(claim.model_dump_json() for claim in claims.values()),
        "records.jsonl": _lines(
            [
                *(record.model_dump_json() for record in records),
                CutRecordV1.of(CUT_SAMPLE).model_dump_json(),
            ]
        ),
        "fingerprints.jsonl": _lines(_fingerprint(name, claim) for name, claim in claims.items()),
        "log-metadata.jsonl": _lines(
            json.dumps({"key": segment.log_key, **claim.log_metadata(segment)})
            for claim in claims.values()
            for segment in claim.segments
        ),
        "balance-document.json": _lines([balance_document_sample().model_dump_json()]),
        **{f"log/{record.log_key}": record.body.encode() for record in records},
    }


def _fingerprint(name: str, claim: ClaimV1) -> str:
    stage, document = EVENT_SAMPLES.get(name) or (Stage.CONFIRMED, MORE_EVENTS[name])
    canonical = canonical_document(parse_document(document, stage))
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return json.dumps({"name": name, "fingerprint": claim.fingerprint, "canonical": text})


def _lines(texts: list[str] | Iterator[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def golden_on_disk() -> dict[str, bytes]:
    return {
        path.relative_to(GOLDEN).as_posix(): path.read_bytes()
        for path in GOLDEN.rglob("*")
        if path.is_file()
    }


def write() -> None:
    wanted = golden_files()
    for name in golden_on_disk().keys() - wanted.keys():
        (GOLDEN / name).unlink()
    for name, content in wanted.items():
        path = GOLDEN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.contract.golden --write")
    write()
