"""The form in which a claim is stored: what changes as attributes, the rest compressed as one text.

A claim repeats ids, dates and names: its log key, sale and context versions repeat what its lines
contain. The compression knows the words of every claim and the id in the claim's key. So each text
is stored once, and an everyday claim takes a third of its bytes. Decompression gives the document
back byte by byte, so its lines can be written to the log after any crash.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.errors import IntegrityError

SAID: Final = "said"
"""The attribute with the compressed document."""
# These are conditions or change after the claim was made, so they are attributes of their own.
_APART: Final = ("falcon_operation_id", "stage", "state", "returned", "returned_by")

# The words of claims, the most frequent last. Claims are kept for ever, and can be read only with
# these very words: other words need another attribute than `said`.
WORDS: Final = (
    b'"truth":[{"sale_changes":[],"revised_at":"","last":{"corrects":"","reason":"",'
    b'"refusal":"expired","requested":{"payout_id":"","amount":"","requested_at":"",'
    b'"commission":,"operations":,"original_reference":[""],"occurrence":["2"],'
    b'"reason_code":[""],"requested_by":[""],"after":1,"parts":2,"marketplace_fee"]'
    b'"chargeback_reversal"]"cashback"]"chargeback"]"withdrawal"],"falcon_operation_id":['
    b'"withdrawal_reversal"],"falcon_operation_id":["adjustment"],"falcon_operation_id":['
    b'"refund"],"falcon_operation_id":["{"schema_version":"1","fingerprint":"","received_at":"'
    b'2026-0T:00Z","context_versions":["|@20-01-01T00:00:00Z#"],"texts":{"external_reference":['
    b'""],"currency":["EUR"],"type":["capture","psp_fee"],"falcon_operation_id":["-5-8"],'
    b'"operation_date":["2026-Z"],"local_merchant_id":[""],"shop_id":[""],"balance_shop_id":['
    b'""],"psp_id":[""],"bank_reference":[""]},"segments":[{"merchant_id":"","part":1,"parts":1,'
    b'"context_version":"20-01-01T00:00:00Z#","log_key":"confirmed/merchant_id=/date=20-/-5-8'
    b'reconciled/merchant_id=/date=2026-.csv","rows":["-5-8,.00,0","-5-8,-.00,1"]}],"type":'
    b'"capture","sale":{"merchant_id":"","psp_id":"","reference":"","type":"capture",'
    b'"currency":"EUR","amount":}}'
)
_LEVEL: Final = 9
_MEMORY: Final = 9
# A claim's text is far below what an item may have, 400 KB; no compressed bytes may become more.
_TEXT_BYTES_MAX: Final = 1_000_000


def stored(claim: ClaimV1) -> dict[str, Any]:
    """The claim's item as plain values; its sort key `stage` includes the revision:
    `confirmed.2`.
    """
    document = claim.model_dump(mode="json") | {"stage": claim.staged}
    apart: dict[str, Any] = {name: document.pop(name) for name in _APART if name in document}
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return {**apart, SAID: _compressed(text.encode(), claim.falcon_operation_id)}


def read_stored(item: Mapping[str, Any]) -> ClaimV1:
    """The claim. Raises IntegrityError for bytes that this code did not write: a checksum tells."""
    apart = {name: item[name] for name in _APART if name in item}
    name = f"claim {item['falcon_operation_id']} {item['stage']}"
    try:
        document = json.loads(_expanded(bytes(item[SAID]), item["falcon_operation_id"]))
    except (KeyError, ValueError, zlib.error) as error:
        raise IntegrityError(f"{name}: {error}") from error
    stage = item["stage"].partition(".")[0]
    return ClaimV1.model_validate(document | apart | {"stage": stage})


def _compressed(text: bytes, operation_id: str) -> bytes:
    words = _words(operation_id)
    compress = zlib.compressobj(
        _LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, _MEMORY, zlib.Z_DEFAULT_STRATEGY, words
    )
    return compress.compress(text) + compress.flush()


def _expanded(said: bytes, operation_id: str) -> bytes:
    expand = zlib.decompressobj(zlib.MAX_WBITS, _words(operation_id))
    text = expand.decompress(said, _TEXT_BYTES_MAX)
    if not expand.eof or expand.unused_data:
        raise ValueError("the compressed text is cut off, or too long")
    return text


def _words(operation_id: str) -> bytes:
    """The words that the compression knows. They contain the id of the claim, so a claim cannot be
    read under the key of another claim.
    """
    return WORDS + operation_id.encode()
