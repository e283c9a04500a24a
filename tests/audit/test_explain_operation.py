"""What folders say of one operation: where it was sealed, which fee, and what is wrong with it."""

from typing import Any

import pytest

from falcon_balances.audit.applied_fees import applied_fees
from falcon_balances.audit.inclusion import inclusions
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.verifier.findings import NotWrittenSoError
from falcon_balances.cli.audit.operation_story import tell
from falcon_balances.cli.audit.story_sources import Sources
from falcon_balances.domain.direct_operations import PayoutRequest, PayoutReturn
from falcon_balances.domain.identity import payout_operation_id, payout_return_id
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.splitting import direct_segment
from generated.logs import objects_of, write
from tests.audit.replays import SALE, segments_of
from tests.audit.sealed import OTHER_KEY, objects, public_key_of, sealed_log, split
from tests.builders import claim_of, confirmed, context_of, fee_of, operation_id_of

EUR = Currency("EUR", 2)
DATE = parse_rfc3339("2026-11-20T10:00:00Z")


@pytest.fixture
def sealed(tmp_path):
    return sealed_log(tmp_path, split(objects(30, 4), 3))


def manifests_of(sealed):
    return [(each.name, each.read_bytes()) for each in sorted(sealed.manifests.iterdir())]


def id_of(key):
    return key.rpartition("/")[2][:36]


def test_each_object_is_found_in_its_manifest_and_the_proof_holds(sealed):
    for key in sealed.keys[::7]:
        found, problems = inclusions(manifests_of(sealed), id_of(key), sealed.public_key)
        assert problems == []
        assert key in {each.key for each in found}
        for each in found:
            assert (each.is_signed, each.problem) == (True, None)
            head = sealed.heads[each.sequence - 1]
            assert each.root == head.head.root
            assert f'"key":"{each.key}"'.encode() in head.leaves[each.leaf_index]


def test_without_a_key_the_signature_is_not_said_to_be_right(sealed):
    found, _ = inclusions(manifests_of(sealed), id_of(sealed.keys[0]), None)
    assert {(each.is_signed, each.problem) for each in found} == {(None, None)}


def test_another_key_an_edited_leaf_and_a_broken_manifest_are_told(sealed):
    operation_id = id_of(sealed.keys[0])
    found, _ = inclusions(manifests_of(sealed), operation_id, public_key_of(OTHER_KEY))
    assert all("made with another key" in str(each.problem) for each in found)
    edited = [
        (name, body.replace(b'"lines":2', b'"lines":3')) for name, body in manifests_of(sealed)
    ]
    found, _ = inclusions(edited, operation_id, sealed.public_key)
    assert all("not in the tree" in str(each.problem) for each in found)
    broken = [("1.jsonl", b'{"x":1}\n/' + operation_id.encode() + b"\n\n")]
    assert [place for place, _ in inclusions(broken, operation_id, None)[1]] == ["1.jsonl"]
    with pytest.raises(NotWrittenSoError):
        inclusions([], operation_id, b"no key")


def test_the_keys_of_an_operation_are_found_by_names(tmp_path):
    log = LogFolder(write(objects_of(SALE), tmp_path))
    keys = list(log.keys_of(Selection(), SALE[0].falcon_operation_id))
    assert sorted(keys) == sorted(objects_of(SALE))
    mine = SALE[0].merchant_id
    assert len(list(log.keys_of(Selection(merchant_id=mine), SALE[0].falcon_operation_id))) == 1
    assert list(log.keys_of(Selection(), payout_operation_id("m-1", "p-1"))) == []


@pytest.mark.parametrize(
    ("fees", "changes", "expected"),
    [
        ([], {}, "0.00"),
        ([fee_of("1.00")], {}, "1.00"),
        ([fee_of("1.00", fixed={"EUR": "0.20"}), fee_of("2.00", on="refund")], {}, "1.20"),
        ([fee_of("1.00")], {"type": "refund"}, "0.00"),
        ([fee_of("2.00", on="refund")], {"type": "refund"}, "2.00"),
    ],
)
def test_the_fee_is_worked_out_again(fees, changes, expected):
    context = context_of(fees=fees)
    (segment,) = segments_of(confirmed(**changes), context)
    applied = applied_fees(context, segment.lines)
    assert applied is not None
    assert str(applied.expected) == str(applied.charged) == expected
    less = applied_fees(context, [line for line in segment.lines if line.type != "psp_fee"])
    assert less is not None
    assert (less.charged, less.expected) == (Money(0, EUR), applied.expected)


def test_a_shop_without_a_leg_of_its_own_has_no_fee():
    (segment,) = segments_of(confirmed())
    assert applied_fees(context_of("5554"), segment.lines) is None


def test_a_payout_and_its_return_point_at_each_other(tmp_path):
    said: dict[str, Any] = {
        "merchant_id": "m-1",
        "balance_shop_id": "bs-1",
        "amount": Money(500, EUR),
    }
    paid = PayoutRequest(**said, payout_id="p-1", requested_at=DATE)
    parts = said | {"amount": Money(100, EUR), "returned_at": DATE, "bank_reference": "b-1"}
    ids = [None, "r-1", "r-2"]
    backs = [PayoutReturn(**parts, payout_id="p-1", return_id=each) for each in ids]
    other = PayoutReturn(**parts, payout_id="p-10")
    segments = [direct_segment(each, each.movement) for each in (paid, *backs, other)]
    log = write(objects_of(segments), tmp_path)
    payout_id = payout_operation_id("m-1", "p-1")
    returns = [payout_return_id("m-1", "p-1", each) for each in ids]
    assert told(log, payout_id)["returned_by"] == sorted(returns)
    assert [told(log, each)["returns"] for each in returns] == [payout_id] * 3


def told(log, operation_id):
    story = tell(Sources(LogFolder(log), None, None, None, None), operation_id)
    assert story is not None
    return story.document


def revised(amount, revision=2, **changes):
    said = {"revision": revision, "revised_at": f"2026-11-2{revision}T10:00:00Z"}
    return confirmed(**said | changes, amount=amount)


def test_every_revision_is_told_with_what_the_operation_is_then(tmp_path):
    context = context_of(fees=[fee_of("1.00")])
    claims = [claim_of(confirmed(), context)]
    for document in (revised("80.00"), revised("80.00", 3), revised("0", 4)):
        claims.append(claim_of(document, context).revising(claims[-1]))
    log = write(bodies_of(*claims), tmp_path)
    document = told(log, operation_id_of(confirmed()))
    stages = [(each["revision"], each["event"]["amount"]) for each in document["stages"]]
    assert stages == [(1, "100.00"), (2, "80.00"), (4, "0.00")], "the third moved nothing"
    assert [len(each["segments"]) for each in document["stages"]] == [1, 1, 1]
    [standing] = document["standings"]
    assert (standing["confirmed"], standing["counted"]) == ("0.00", "0.00")
    assert document["accounts"] == []


def bodies_of(*claims):
    return {
        segment.log_key: claim.body_of(segment).encode()
        for claim in claims
        for segment in claim.segments
    }


def test_nobody_knows_an_operation_that_there_is_not(tmp_path):
    assert tell(Sources(LogFolder(tmp_path), None, None, None, None), "0" * 36) is None


def test_the_same_reference_of_another_type_is_named(tmp_path):
    dispute = segments_of(confirmed(type="chargeback", external_reference="d-1"))
    reversal = segments_of(confirmed(type="chargeback_reversal", external_reference="d-1"))
    log = LogFolder(write(objects_of([*dispute, *reversal]), tmp_path))
    story = tell(Sources(log, None, None, None, None), dispute[0].falcon_operation_id)
    assert story is not None
    same = {"chargeback_reversal": reversal[0].falcon_operation_id}
    assert story.document["same_reference"] == same


@pytest.mark.parametrize("is_known", [True, False])
def test_a_refund_names_its_sale(tmp_path, is_known):
    sale, refund = confirmed(), confirmed(type="refund", original_reference="sale", amount="1.00")
    sale["external_reference"] = "sale"
    segments = [*segments_of(refund), *(segments_of(sale) if is_known else ())]
    log = write(objects_of(segments), tmp_path)
    named = operation_id_of(sale) if is_known else None
    original = {"reference": "sale", "falcon_operation_id": named}
    assert told(log, operation_id_of(refund))["original"] == original
    if is_known:
        assert "original" not in told(log, operation_id_of(sale))
