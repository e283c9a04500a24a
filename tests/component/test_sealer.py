"""The sealer on S3 and KMS: every object is sealed once, in order, and nothing odd with them."""

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import boto3
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from moto import mock_aws

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.manifests import LogVersions, ManifestBucket, SigningKey
from falcon_balances.audit.proving import prove
from falcon_balances.audit.verifier.proofs import check_proof
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.cli.audit.fetching import _pem
from falcon_balances.domain.errors import IntegrityError
from lambdas.sealer import sealing
from lambdas.sealer.sealing import newest_to_seal, seal_new
from tests.audit.sealed import objects

LOG, MANIFESTS = "log-bucket", "manifest-bucket"
REGION: Final = "eu-central-1"


class Buckets:
    """A log and its manifests on moto, and what an auditor would copy of both."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.s3 = boto3.client("s3", region_name=REGION)
        kms = boto3.client("kms", region_name=REGION)
        for bucket in (LOG, MANIFESTS):
            self.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            self.s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        said = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        self.key = SigningKey(kms, said["KeyMetadata"]["KeyId"])
        self.manifests = ManifestBucket(self.s3, MANIFESTS)

    def put(self, some: dict[str, bytes]) -> None:
        for key, body in some.items():
            self.s3.put_object(Bucket=LOG, Key=key, Body=body)

    def seal(self, objects_max: int = 1_000, until: datetime | None = None, has_time=lambda: True):
        return seal_new(
            LogVersions(self.s3, LOG),
            self.manifests,
            self.key,
            until=until or utc_now() + timedelta(minutes=1),
            objects_max=objects_max,
            has_time=has_time,
        )

    def verify(self, **options):
        log, manifests = self.folder / "log", self.folder / "m"
        for bucket, where in ((LOG, log), (MANIFESTS, manifests)):
            where.mkdir(exist_ok=True)
            for each in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                path = where / each["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
        listing = self.s3.list_object_versions(Bucket=LOG)
        versions = self.folder / "versions.json"
        versions.write_text(json.dumps(listing, default=str))
        return verify(log, manifests, self.public_key, versions=versions, **options)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key()


@pytest.fixture
def buckets(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Buckets(tmp_path)


def test_what_is_new_is_sealed_and_verifies(buckets):
    first = objects(3)
    buckets.put(first)
    run = buckets.seal()
    assert (run.manifests, run.objects, run.odd, run.flawed, run.left) == (
        ["manifests/00000001.jsonl"],
        len(first),
        [],
        [],
        0,
    )
    assert buckets.seal().manifests == []
    assert {each.place for each in buckets.verify().problems} == set()


def test_the_sealer_stays_behind_what_may_not_be_listed_yet():
    now = datetime(2026, 11, 20, 1, 0, 0, 999_999, tzinfo=UTC)
    assert newest_to_seal(now, 300) == datetime(2026, 11, 20, 0, 55, tzinfo=UTC)


def test_objects_of_one_second_are_never_parted_and_none_is_left_or_sealed_twice(
    buckets, monkeypatch
):
    some = objects(12)
    buckets.put(some)
    known = LogVersions(buckets.s3, LOG).list_all()
    start = datetime(2026, 11, 20, 1, tzinfo=UTC)
    dated = [
        type(each)(start + timedelta(seconds=n // 3), each.key, each.version_id)
        for n, each in enumerate(known.firsts)
    ]
    listing = type(known)(dated, [])
    monkeypatch.setattr(LogVersions, "list_all", lambda _log: listing)
    run = buckets.seal(objects_max=4, until=start + timedelta(seconds=3))
    # Four at a time, and then what was written in the same second: 6, 6; the rest came later.
    assert (len(run.manifests), run.objects) == (2, 12)
    run = buckets.seal(objects_max=4, has_time=lambda: False)
    assert (len(run.manifests), run.objects, run.left) == (1, 6, len(some) - 18)
    while buckets.seal(objects_max=4).left:
        pass
    assert buckets.verify().problems == []
    assert buckets.manifests.last().objects == len(some)


def test_two_sealers_at_once_write_one_manifest(buckets, monkeypatch):
    buckets.put(objects(2))
    sign = SigningKey.sign

    def raced(key, text):
        monkeypatch.setattr(SigningKey, "sign", sign)
        assert len(buckets.seal().manifests) == 1
        return sign(key, text)

    monkeypatch.setattr(SigningKey, "sign", raced)
    assert buckets.seal().manifests == []
    assert buckets.verify().problems == []
    assert buckets.verify().manifests == 1


def test_a_second_version_and_a_delete_marker_are_told_and_the_first_stays_sealed(buckets):
    some = objects(2)
    one, other, third = sorted(some)[:3]
    buckets.put(some)
    buckets.seal()
    buckets.put({one: some[one] + b"x"})
    buckets.s3.delete_object(Bucket=LOG, Key=other)
    buckets.s3.put_object(Bucket=LOG, Key="elsewhere/x.csv", Body=b"")
    run = buckets.seal(until=utc_now() + timedelta(days=1))
    assert sorted(run.odd) == sorted([one, other, "elsewhere/"])
    assert run.objects == 0
    places = {each.place for each in buckets.verify().problems}
    assert {one, other, "elsewhere/x.csv"} <= places
    assert third not in places


def test_what_is_as_old_as_what_was_sealed_and_was_not_is_told(buckets, monkeypatch):
    """It is never sealed later, as if it had come then."""
    some = objects(3)
    buckets.put(some)
    buckets.seal()
    assert buckets.seal().unaccounted == 0
    listing = LogVersions(buckets.s3, LOG).list_all()
    for firsts, expected in (
        ([*listing.firsts, replace(listing.firsts[0], key="confirmed/other")], 1),
        (listing.firsts[1:], -1),
    ):
        changed = replace(listing, firsts=firsts)
        monkeypatch.setattr(LogVersions, "list_all", lambda _log, changed=changed: changed)
        run = buckets.seal()
        assert (run.unaccounted, run.objects) == (expected, 0)


def test_what_is_not_as_the_log_writes_it_is_sealed_with_its_flaw(buckets):
    some = objects(1)
    key = sorted(some)[0]
    stranger = "confirmed/merchant_id=m-1/notes.txt"
    buckets.put(some | {key: some[key].replace(b".", b","), stranger: b"notes"})
    run = buckets.seal()
    assert sorted(run.flawed) == sorted([key, stranger])
    assert run.objects == len(some) + 1
    done = buckets.verify()
    assert {each.place for each in done.problems} == {key, stranger}
    assert all(
        "flawed when it was sealed" in each.what or "no key" in each.what for each in done.problems
    )


def test_it_does_not_go_on_from_a_manifest_that_is_none(buckets):
    buckets.s3.put_object(Bucket=MANIFESTS, Key="manifests/00000001.jsonl", Body=b"{}\n{}\n{}\n")
    with pytest.raises(IntegrityError):
        buckets.seal()


# Proofs


def test_a_merchant_s_proof_shows_all_of_its_own_and_nothing_of_others(buckets, monkeypatch):
    monkeypatch.setattr(sealing, "secrets", secrets)
    some = objects(9, merchants=3)
    items = list(some.items())
    buckets.put(dict(items))
    buckets.seal(objects_max=1)
    done = buckets.verify()
    assert done.problems == []
    files = sorted((buckets.folder / "m" / "manifests").iterdir())
    for merchant in ("m-0", "m-1", "m-2"):
        document = prove(merchant, files)
        proof = buckets.folder / f"{merchant}.json"
        proof.write_text(json.dumps(document))
        for other in {"m-0", "m-1", "m-2"} - {merchant}:
            assert f"merchant_id={other}/" not in proof.read_text()
            assert f'"{other}"' not in proof.read_text()
        checked = check_proof(
            proof, buckets.public_key, log=buckets.folder / "log", anchor=done.head
        )
        assert checked.problems == []
        assert checked.balances == [
            each for each in done.balances if each["merchant_id"] == merchant
        ]
        assert checked.objects == sum(f"merchant_id={merchant}/" in key for key in some)
    with pytest.raises(IntegrityError, match="nothing of merchant"):
        prove("m-9", files)


@pytest.mark.parametrize(
    "tampering", ["leaf kept back", "leaf changed", "path", "claim", "twice", "head"]
)
def test_a_proof_that_was_changed_does_not_hold(buckets, tampering):
    buckets.put(objects(6, merchants=2))
    buckets.seal()
    buckets.verify()
    document = prove("m-0", sorted((buckets.folder / "m" / "manifests").iterdir()))
    part = document["manifests"][-1]
    match tampering:
        case "leaf kept back":
            del part["leaves"][0]
        case "leaf changed":
            part["leaves"][0]["leaf"] = part["leaves"][0]["leaf"].replace('"size":', '"size":1')
        case "path":
            part["leaves"][0]["path"][0][1] = "0" * 64
        case "claim":
            del part["leaves"][-1]
        case "twice":
            part["leaves"].append(part["leaves"][0])
        case "head":
            part["head"] = part["head"].replace("log-bucket", "bog-lucket")
    proof = buckets.folder / "proof.json"
    proof.write_text(json.dumps(document))
    assert check_proof(proof, buckets.public_key).problems


def test_the_public_key_as_pem_is_the_same_key(buckets):
    der = buckets.public_key
    assert load_der_public_key(der) is not None
    (buckets.folder / "log").mkdir()
    buckets.put(objects(1))
    buckets.seal()
    buckets.verify()
    done = verify(buckets.folder / "log", buckets.folder / "m", _pem(der).encode())
    assert done.problems == []
