"""`falcon audit fetch` on S3 and KMS: whatever keys there are, everything else is fetched."""

import json
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.stream_progress import DynamoStreamProgress
from falcon_balances.cli.audit.app import app
from falcon_balances.cli.audit.fetching import fetch_all, fetch_journal
from falcon_balances.cli.errors import InvalidInputError, MismatchError
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.journal import BEGINNING
from tests.component.world import utc
from tests.journals import SHARD, append, entry

REGION = "eu-central-1"
GOOD = {"a/good.csv": b"1", "zz/good.csv": b"2"}


@dataclass
class Deployed:
    """As much of a target as fetching asks for."""

    log_bucket: str = "log-bucket"
    manifest_bucket: str = "manifest-bucket"
    journal_bucket: str = "journal-bucket"
    balances_table: str = "balances"
    signing_key_alias: str = "alias/manifests"

    def client(self, service: Any) -> Any:
        return boto3.client(service, region_name=REGION)

    def put(self, bucket: str, some: dict[str, bytes]) -> None:
        for key, body in some.items():
            self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)


@pytest.fixture
def target(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        deployed: Any = Deployed()
        where: Any = {"LocationConstraint": REGION}
        for bucket in (deployed.log_bucket, deployed.manifest_bucket):
            deployed.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        key = deployed.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        deployed.client("kms").create_alias(
            AliasName="alias/manifests", TargetKeyId=key["KeyMetadata"]["KeyId"]
        )
        yield deployed


def files(folder):
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file() and each.name not in {"versions.json", "public-key.pem"}
    }


def test_what_is_there_already_is_not_fetched_again(target, tmp_path):
    target.put(target.log_bucket, GOOD)
    target.put(target.manifest_bucket, {"manifests/00000001.jsonl": b"m"})
    assert fetch_all(target, tmp_path, lambda _: None) == len(GOOD)
    assert fetch_all(target, tmp_path, lambda _: None) == 0
    assert files(tmp_path) == {
        "manifests/00000001.jsonl": b"m",
        **{f"log/{key}": body for key, body in GOOD.items()},
    }


@pytest.mark.parametrize(
    ("odd", "copied"),
    [
        (["confirmed/"], 0),  # the console's "create folder"
        (["c/..", "c"], 1),
        (["b", "b/c"], 1),  # a file or a folder, whichever comes first
        (["x" * 300], 0),
        (["b//c", "b/./c", "./c"], 0),
        (["/etc/x"], 0),
        (["p", "p.part"], 2),
    ],
)
def test_a_key_that_can_be_no_file_is_said_and_holds_up_no_other(
    target, tmp_path, capsys, odd, copied
):
    target.put(target.log_bucket, GOOD | dict.fromkeys(odd, b"odd"))
    for _ in range(2):
        if copied == len(odd):
            fetch_all(target, tmp_path, lambda _: None)
            continue
        with pytest.raises(MismatchError, match=f"^{len(odd) - copied} key"):
            fetch_all(target, tmp_path, lambda _: None)
        assert capsys.readouterr().err.count("not fetched") == len(odd) - copied
    got = files(tmp_path)
    assert {key: got[f"log/{key}"] for key in GOOD} == GOOD
    assert len(got) == len(GOOD) + copied
    assert (tmp_path / "versions.json").exists()
    assert (tmp_path / "public-key.pem").exists()


def test_a_key_among_the_manifests_does_not_end_in_the_log(target, tmp_path):
    target.put(target.manifest_bucket, {"log/x.csv": b"x", "manifests/00000001.jsonl": b"m"})
    with pytest.raises(MismatchError, match="1 key was"):
        fetch_all(target, tmp_path, lambda _: None)
    assert files(tmp_path) == {"manifests/00000001.jsonl": b"m"}


CUT_AT = utc("2026-11-21T00:01:00")


@pytest.fixture
def journaled(target):
    """A stream with one shard, whose journal is complete until a cut."""
    target.client("dynamodb").create_table(
        TableName=target.balances_table,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    target.client("s3").create_bucket(
        Bucket=target.journal_bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    progress = DynamoStreamProgress(target.client("dynamodb"), target.balances_table)
    end = append(S3Journal(target.client("s3"), target.journal_bucket), BEGINNING, entry())
    progress.move_shard(SHARD, BEGINNING, None, end)
    cut = Cut(CUT_AT, (SHARD,))
    progress.meet_cut(cut, SHARD, end)
    progress.complete_cut(CUT_AT, CUT_AT)
    progress.advance_as_of(CUT_AT)
    return target


def test_a_fetched_journal_can_be_closed(journaled, tmp_path):
    assert fetch_journal(journaled, tmp_path, lambda _: None) == 1
    assert fetch_journal(journaled, tmp_path, lambda _: None) == 0
    done = CliRunner().invoke(app, ["close-days", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "closed": [{"date": "2026-11-20", "segments": 1, "lines": 1}]
    }
    again = CliRunner().invoke(app, ["close-days", str(tmp_path)])
    assert (again.exit_code, again.stdout) == (0, "")
    assert "0 days closed" in again.stderr
    done = CliRunner().invoke(app, ["replay", "--log", str(tmp_path / "closed"), "--json"])
    assert done.exit_code == 0, done.output
    assert [each["amount"] for each in json.loads(done.stdout)["sums"]] == ["100.00"]


def test_a_folder_without_its_journal_is_not_closed(tmp_path):
    done = CliRunner().invoke(app, ["close-days", str(tmp_path)])
    assert isinstance(done.exception, InvalidInputError)
    assert "fetch the folder with --journal" in str(done.exception)
