"""What the quarantine does, in memory and in S3: every refusal can be read."""

from hashlib import sha256
from typing import Any

import pytest

from falcon_balances.adapters.stage_ports import QuarantinedBody
from tests.component.world import utc

BODY = b"\xff\x00 not even text"
RECEIVED_AT = utc("2026-11-20T23:59:59")


def refusal(body: bytes = BODY, code: str = "E_JSON", **changes) -> QuarantinedBody:
    said: dict[str, Any] = {
        "source": "confirmed",
        "reason": "message: not JSON",
        "received_at": RECEIVED_AT,
    }
    return QuarantinedBody(body=body, code=code, **said | changes)


def test_the_raw_bytes_are_kept_with_code_reason_and_time(quarantine):
    quarantine.port.put(refusal())
    [refused] = quarantine.read()
    assert refused.key == f"confirmed/date=2026-11-20/{sha256(BODY).hexdigest()}"
    assert refused.body == BODY
    assert refused.metadata == {
        "code": "E_JSON",
        "reason": "message: not JSON",
        "received_at": "2026-11-20T23:59:59Z",
    }


def test_the_same_bytes_refused_twice_are_there_twice(quarantine):
    quarantine.port.put(refusal(code="E_UNKNOWN_MERCHANT"))
    quarantine.port.put(refusal(code="E_ID_CONFLICT"))
    assert sorted(refused.code for refused in quarantine.read()) == [
        "E_ID_CONFLICT",
        "E_UNKNOWN_MERCHANT",
    ]
    assert len({refused.key for refused in quarantine.read()}) == 1


@pytest.mark.parametrize(
    "other",
    [
        refusal(b"other"),
        refusal(source="stream"),
        refusal(received_at=utc("2026-11-21T00:00:00")),
    ],
    ids=["other bytes", "another source", "a different day"],
)
def test_what_differs_lies_under_another_key(quarantine, other):
    quarantine.port.put(refusal())
    quarantine.port.put(other)
    assert len({refused.key for refused in quarantine.read()}) == 2


def test_an_empty_body_can_be_quarantined(quarantine):
    quarantine.port.put(refusal(b""))
    assert [refused.body for refused in quarantine.read()] == [b""]
