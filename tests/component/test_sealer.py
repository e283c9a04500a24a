"""The sealer on S3 and KMS: every object is sealed once, in order, and nothing odd with them."""

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from cryptography.hazmat.primitives.serialization import load_der_public_key
from moto import mock_aws
from moto.s3.models import s3_backends

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.manifests import LogVersions, ManifestBucket, SigningKey
from falcon_balances.audit.proving import prove
from falcon_balances.audit.verifier.proofs import check_proof
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.cli.audit.fetching import _pem
from falcon_balances.contracts.log_objects import read_strictly
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.domain.log_grammar import COLUMNS
from falcon_balances.domain.manifests import MerchantTotals, Sealed, manifest_key, seal
from lambdas.sealer import handler, sealing
from lambdas.sealer.sealing import OBJECT_BYTES_MAX, newest_to_seal, seal_new
from tests.audit.logs import Objects
from tests.audit.sealed import objects

LOG, MANIFESTS = "log-bucket", "manifest-bucket"
REGION: Final = "eu-central-1"
ACCOUNT_ID: Final = "123456789012"  # moto's


class Buckets:
    """A log and its manifests on moto, and what an auditor would copy of both.

    What is put is written at `time`, and sealed a minute later.
    """

    def __init__(self, folder) -> None:
        self.folder = folder
        self.time = utc_now().replace(microsecond=0) - timedelta(days=1)
        self.told: list[str] = []
        self.unaccounted = 0
        self.s3 = boto3.client("s3", region_name=REGION)
        self.kms = boto3.client("kms", region_name=REGION)
        for bucket in (LOG, MANIFESTS):
            self.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            self.s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        self.key = self.new_key()
        self.manifests = ManifestBucket(self.s3, MANIFESTS)

    def new_key(self) -> SigningKey:
        said = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        return SigningKey(self.kms, said["KeyMetadata"]["KeyId"])

    def purge(self, key: str) -> None:
        """As only who may lift GOVERNANCE can: the version is gone, without a delete marker."""
        (version,) = self.s3.list_object_versions(Bucket=LOG, Prefix=key)["Versions"]
        self.s3.delete_object(Bucket=LOG, Key=key, VersionId=version["VersionId"])

    def manifest(self, number: int = 1) -> str:
        return self.manifests.read(manifest_key(number)).decode()

    def put(self, some: dict[str, bytes]) -> None:
        for key, body in some.items():
            self.s3.put_object(Bucket=LOG, Key=key, Body=body)
            versions = s3_backends[ACCOUNT_ID]["aws"].buckets[LOG].keys.getlist(key)
            versions[-1].last_modified = self.time.replace(tzinfo=None)

    def seal(
        self,
        objects_max: int = 1_000,
        has_time=lambda: True,
        now: datetime | None = None,
        settled_s: int = 60,
    ):
        return seal_new(
            LogVersions(self.s3, LOG),
            self.manifests,
            self.key,
            now=now or self.time + timedelta(minutes=1),
            settled_s=settled_s,
            objects_max=objects_max,
            has_time=has_time,
            tell=self.tell,
        )

    def tell(self, keys, unaccounted=0) -> None:
        self.told += keys
        self.unaccounted += unaccounted

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


def test_objects_of_one_second_are_never_parted_and_none_is_left_or_sealed_twice(buckets):
    some = list(objects(12).items())
    start = buckets.time
    for number in range(0, len(some), 3):
        buckets.put(dict(some[number : number + 3]))
        buckets.time += timedelta(seconds=1)
    run = buckets.seal(objects_max=4, now=start + timedelta(seconds=63))
    # Four at a time, and then what was written in the same second: 6, 6; the rest came later.
    assert (len(run.manifests), run.objects) == (2, 12)
    run = buckets.seal(objects_max=4, has_time=lambda: False)
    assert (len(run.manifests), run.objects, run.left) == (1, 6, len(some) - 18)
    while buckets.seal(objects_max=4).left:
        pass
    assert buckets.verify().problems == []
    assert buckets.manifests.last(buckets.key).objects == len(some)


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
    buckets.time += timedelta(hours=1)
    run = buckets.seal()
    assert sorted(run.odd) == sorted([one, other, "elsewhere/"])
    assert run.objects == 0
    places = {each.place for each in buckets.verify().problems}
    assert {one, other, "elsewhere/x.csv"} <= places
    assert third not in places


def test_what_is_as_old_as_what_was_sealed_and_was_not_is_told(buckets):
    """It is never sealed later, as if it had come then."""
    *some, late = objects(3).items()
    buckets.put(dict(some))
    buckets.seal()
    assert buckets.seal().unaccounted == 0
    buckets.put(dict([late]))
    run = buckets.seal()
    assert (run.unaccounted, run.objects) == (1, 0)
    for key, _ in (late, some[0]):
        buckets.purge(key)
    run = buckets.seal()
    assert (run.unaccounted, run.objects) == (-1, 0)
    assert buckets.unaccounted == 0


def test_a_key_written_anew_after_a_purge_is_sealed_once_more_and_told_before_and_after(buckets):
    """Only who may lift GOVERNANCE can purge; nothing tells its new version from a first one."""
    some = objects(2)
    key = min(some)
    buckets.put(some)
    buckets.seal()
    buckets.purge(key)
    buckets.time += timedelta(hours=1)
    buckets.put({key: some[key]})
    run = buckets.seal()
    assert (run.objects, run.unaccounted) == (1, -1)
    assert buckets.seal().unaccounted == -1
    assert buckets.verify().problems


def test_of_two_versions_in_one_second_the_first_is_sealed(buckets):
    some = objects(1)
    key = min(some)
    buckets.put(some)
    for number in range(8):
        buckets.put({key: some[key] + str(number).encode()})
    assert buckets.seal().odd == [key]
    first = buckets.s3.list_object_versions(Bucket=LOG, Prefix=key)["Versions"][-1]
    assert f'"version_id":"{first["VersionId"]}"' in buckets.manifest()


def test_a_listing_holds_nothing_of_what_is_sealed_but_its_number(buckets, monkeypatch):
    some = objects(8)
    paginator = buckets.s3.get_paginator
    monkeypatch.setattr(buckets.s3, "get_paginator", lambda name: Pages(paginator(name)))
    buckets.put(some)
    buckets.put({min(some): b"again"})
    since = buckets.time
    buckets.time += timedelta(seconds=1)
    later = "confirmed/later"
    buckets.put({later: b""})
    listing = LogVersions(buckets.s3, LOG).list_all(since)
    assert ([each.key for each in listing.new], listing.known) == ([later], len(some))
    assert listing.odd == [min(some)]


def test_a_clock_ahead_of_s3_s_seals_nothing_that_may_not_be_listed_yet(buckets):
    buckets.time = utc_now()
    buckets.put(objects(2))
    ahead = utc_now() + timedelta(minutes=10)
    assert buckets.seal(now=ahead, settled_s=300).objects == 0
    assert buckets.seal(now=ahead, settled_s=0).objects == len(objects(2))


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
        "flawed when it was sealed" in each.what or "not a key" in each.what
        for each in done.problems
    )


def test_what_is_too_large_to_be_held_is_hashed_as_it_comes(buckets, monkeypatch):
    some = objects(1)
    key, body = "confirmed/large", b"x" * (OBJECT_BYTES_MAX + 1)
    buckets.put(some | {key: body})
    read = LogVersions.read
    monkeypatch.setattr(LogVersions, "read", lambda log, each: read(log, each) * (each.key != key))
    run = buckets.seal()
    assert (run.objects, run.flawed) == (len(some) + 1, [key])
    assert sha256(body).hexdigest() in buckets.manifest()
    assert {each.place for each in buckets.verify().problems} == {key}


def test_amounts_that_python_refuses_to_write_hold_up_nobody_else_s(buckets):
    some, poison = objects(2), with_amounts("9" * 4298 + ".00")
    buckets.put(some | poison)
    run = buckets.seal()
    assert (run.objects, run.flawed) == (len(some | poison), list(poison))
    assert buckets.seal().objects == 0


@pytest.mark.parametrize("error", [ValueError("Exceeds the limit"), None])
def test_whatever_a_reader_says_an_object_becomes_a_leaf(buckets, monkeypatch, error):
    read = read_strictly
    huge = read(*with_amounts("1.00").popitem())
    line = huge.lines[0]
    amount = type(line.amount)(10**4_400, line.amount.currency)
    huge = replace(huge, lines=(replace(line, amount=amount),))

    def reads(key, body):
        if key != poisoned:
            return read(key, body)
        if error is not None:
            raise error
        return huge

    some = objects(2)
    poisoned = min(some)
    monkeypatch.setattr(sealing, "read_strictly", reads)
    buckets.put(some)
    assert (buckets.seal().flawed, buckets.seal().objects) == ([poisoned], 0)


def with_amounts(amount: str) -> Objects:
    """An object of one line, right in all but this."""
    ((key, body),) = list(objects(1).items())[:1]
    header, line, *_ = body.decode().splitlines()
    fields = line.split(",")
    fields[COLUMNS.index("amount")] = amount
    fields[COLUMNS.index("currency")] = "EUR"
    return {key: "\n".join([header, ",".join(fields), ""]).encode()}


class Pages:
    """A paginator with two versions on a page: the versions of a key lie on several."""

    def __init__(self, paginator) -> None:
        self._paginator = paginator

    def paginate(self, **where):
        return self._paginator.paginate(**where, PaginationConfig={"PageSize": 2})


class LostAnswers:
    """S3, but each PUT of a manifest arrives and its answer does not."""

    def __init__(self, s3, *, sends_again: bool) -> None:
        self._s3 = s3
        self._sends_again = sends_again

    def __getattr__(self, name):
        return getattr(self._s3, name)

    def put_object(self, **put):
        self._s3.put_object(**put)
        if self._sends_again:
            return self._s3.put_object(**put)
        raise ReadTimeoutError(endpoint_url="s3")


def losing_answers(s3, *, sends_again: bool) -> ManifestBucket:
    lossy: Any = LostAnswers(s3, sends_again=sends_again)
    return ManifestBucket(lossy, MANIFESTS)


def test_a_manifest_whose_answer_was_lost_is_known_again_and_its_flaws_are_told(buckets):
    some, stranger = objects(2), "confirmed/notes.txt"
    buckets.put(some | {stranger: b""})
    buckets.manifests = losing_answers(buckets.s3, sends_again=True)
    run = buckets.seal(objects_max=1)
    assert (run.objects, run.flawed, buckets.told) == (len(some) + 1, [stranger], [stranger])


def test_who_dies_before_the_answer_has_told_of_what_it_sealed(buckets):
    buckets.put(objects(1) | {"confirmed/notes.txt": b""})
    buckets.manifests = losing_answers(buckets.s3, sends_again=False)
    with pytest.raises(TransientError):
        buckets.seal()
    assert buckets.told == ["confirmed/notes.txt"]
    buckets.manifests = ManifestBucket(buckets.s3, MANIFESTS)
    assert (buckets.seal().objects, buckets.verify().manifests) == (0, 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none at all", "has no signature"),
        ("a signature that is none", "not signed"),
        ("somebody else's", "not signed"),
        ("a long head", "not signed"),
        ("an earlier one", "another sequence in its head"),
        ("leaves of another", "not canonical, or its root is wrong"),
        ("a number too high", "99999999.jsonl exists, but manifest 2 is missing"),
    ],
)
def test_nothing_is_built_on_a_manifest_that_the_sealer_did_not_write(buckets, name, said):
    buckets.put(objects(2))
    buckets.seal()
    last = buckets.manifests.last(buckets.key)
    forged, _ = seal(
        LOG, Sealed(last.head, 9, {"m-0": MerchantTotals(9)}), [], "2020-01-01T00:00:00Z", b"x" * 32
    )
    key, other = forged.key, buckets.new_key()
    head, signature, *leaves = buckets.manifest().encode().splitlines(keepends=True)
    body = {
        "none at all": b"{}\n{}\n{}\n",
        "a signature that is none": forged.signed("AAAA"),
        "somebody else's": forged.signed(other.sign(forged.head.line())),
        "a long head": b"x" * 5_000 + b"\n" + signature,
        "an earlier one": buckets.manifest().encode(),
        "leaves of another": b"".join([head, signature, *leaves, leaves[0]]),
        "a number too high": b"x",
    }[name]
    if name == "a number too high":
        key = "manifests/99999999.jsonl"
    buckets.s3.put_object(Bucket=MANIFESTS, Key=key, Body=body)
    with pytest.raises(IntegrityError, match=said):
        buckets.seal()


def test_the_handler_raises_the_alarm_before_it_fails(buckets, monkeypatch, capsys):
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    monkeypatch.setenv("LOG_BUCKET", LOG)
    monkeypatch.setenv("MANIFEST_BUCKET", MANIFESTS)
    monkeypatch.setenv("SIGNER_ARN", buckets.key._key_id)
    monkeypatch.setenv("SETTLED_S", "60")
    monkeypatch.setenv("MANIFEST_OBJECTS_MAX", "1000")
    handler._settings.cache_clear()
    monkeypatch.setattr(handler, "client", {"s3": buckets.s3, "kms": buckets.kms}.__getitem__)
    buckets.put({"confirmed/notes.txt": b""})
    assert handler.lambda_handler({}, None)["flawed"] == ["confirmed/notes.txt"]
    assert tampered(capsys) == [0, 1]
    buckets.s3.put_object(Bucket=MANIFESTS, Key="manifests/00000003.jsonl", Body=b"")
    with pytest.raises(IntegrityError, match=r"00000003\.jsonl"):
        handler.lambda_handler({}, None)
    assert tampered(capsys) == [1]
    handler._settings.cache_clear()


def tampered(capsys) -> list[int]:
    """The metric LogTampered, each time it was written."""
    written = [json.loads(each) for each in capsys.readouterr().out.splitlines() if each]
    return [int(each["LogTampered"][0]) for each in written if "LogTampered" in each]


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
    with pytest.raises(IntegrityError, match="no object of merchant"):
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
