"""The sealer where answers are lost, it dies, or meets a manifest that is none of its own."""

import json
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from falcon_balances.adapters.manifests import ManifestBucket
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.manifests import Sealed, manifest_key, seal
from lambdas.sealer import handler
from tests.audit.sealed import objects
from tests.component.buckets import LOG, MANIFESTS


def tampered(capsys) -> list[int]:
    """The metric LogTampered, each time it was written."""
    written = [json.loads(each) for each in capsys.readouterr().out.splitlines() if each]
    return [int(each["LogTampered"][0]) for each in written if "LogTampered" in each]


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
    some = objects(2)
    flawed = min(some)
    buckets.put(some | {flawed: b""})
    buckets.manifests = losing_answers(buckets.s3, sends_again=True)
    run = buckets.seal(objects_max=1)
    assert (run.objects, run.flawed, buckets.told) == (len(some), [flawed], [flawed])


def test_who_dies_before_the_answer_has_told_of_what_it_sealed(buckets):
    flawed = min(objects(1))
    buckets.put(objects(1) | {flawed: b""})
    buckets.manifests = losing_answers(buckets.s3, sends_again=False)
    with pytest.raises(TransientError):
        buckets.seal()
    assert buckets.told == [flawed]
    buckets.manifests = ManifestBucket(buckets.s3, MANIFESTS)
    assert (buckets.seal().objects, buckets.verify().manifests) == (0, 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none at all", "has no signature"),
        ("a signature that is none", "not signed"),
        ("somebody else's", "not signed"),
        ("a long head", "not signed"),
        ("an earlier one", "has another sequence"),
        ("leaves of another", "root is wrong"),
        ("a number too high", "99999999.jsonl exists, but manifest 2 is missing"),
    ],
)
def test_nothing_is_built_on_a_manifest_that_the_sealer_did_not_write(buckets, name, said):
    buckets.put(objects(2))
    buckets.seal()
    last = buckets.manifests.last(buckets.key)
    before = Sealed(last.head, 9)
    forged, _ = seal(
        LOG, before, [], "2020-01-01T00:00:00Z", b"x" * 32, {}, buckets.manifests.lines
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


@pytest.mark.parametrize("kind", [b'"leaf":"merchant"', b'"leaf":"branch"'])
def test_a_line_of_an_earlier_manifest_that_was_changed_stops_the_sealer(
    buckets, kind, monkeypatch
):
    """It is not what the signed root of the last manifest binds. With the same places on every run,
    so that the path of the merchant has lines of the first manifest.
    """
    monkeypatch.setattr("lambdas.sealer.sealing.secrets.token_bytes", bytes)
    some = objects(40, merchants=40)
    of = {key: merchant_of(key) for key in some}
    moves = next(each for each in of.values() if list(of.values()).count(each) > 1)
    again = dict([next((key, some[key]) for key in some if of[key] == moves)])
    last = dict([next((key, some[key]) for key in some if of[key] != moves)])
    for part in ({key: some[key] for key in some if key not in again | last}, last):
        buckets.put(part)
        buckets.seal()
    buckets.put(again)
    key = manifest_key(1)
    body = buckets.manifests.read(key)
    changed = body.replace(kind, kind[:-2] + b'x"')
    assert changed != body
    buckets.s3.put_object(Bucket=MANIFESTS, Key=key, Body=changed)
    buckets.manifests = ManifestBucket(buckets.s3, MANIFESTS)  # a run of another night
    with pytest.raises(IntegrityError, match="of the leaves of manifest 1"):
        buckets.seal()
    buckets.s3.put_object(Bucket=MANIFESTS, Key=key, Body=body)
    buckets.manifests = ManifestBucket(buckets.s3, MANIFESTS)
    assert buckets.seal().objects == len(again)
    assert buckets.verify().problems == []


def test_the_handler_raises_the_alarm_before_it_fails(buckets, monkeypatch, capsys):
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    for name, value in {
        "LOG_BUCKET": LOG,
        "JOURNAL_BUCKET": "journal",
        "BALANCES_TABLE": "balances",
        "MANIFEST_BUCKET": MANIFESTS,
        "SIGNER_ARN": buckets.key._key_id,
        "MANIFEST_OBJECTS_MAX": "1000",
    }.items():
        monkeypatch.setenv(name, value)
    handler._settings.cache_clear()
    clients = {"s3": buckets.s3, "kms": buckets.kms, "dynamodb": None}
    monkeypatch.setattr(handler, "client", clients.__getitem__)
    monkeypatch.setattr(handler, "S3Journal", lambda *_: buckets.journal)
    monkeypatch.setattr(handler, "DynamoStreamProgress", lambda *_: buckets.store)
    flawed = min(objects(1))
    buckets.put({flawed: b""})
    buckets.cut()
    assert handler.lambda_handler({}, Context())["flawed"] == [flawed]
    assert tampered(capsys) == [1]
    buckets.s3.put_object(Bucket=MANIFESTS, Key="manifests/00000003.jsonl", Body=b"")
    with pytest.raises(IntegrityError):
        handler.lambda_handler({}, Context())
    assert tampered(capsys) == [1]
    handler._settings.cache_clear()


class Context:
    """Of an invocation that has no time left."""

    def get_remaining_time_in_millis(self) -> int:
        return 0
