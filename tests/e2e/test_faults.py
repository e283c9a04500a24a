"""What is wrong inside: foreign records on the stream, a tampered log, and who may delete."""

import dataclasses
import json
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from falcon_balances.cli.target import Target
from tests.e2e import observed
from tests.e2e.events import confirmed, context, jsonl

PSP = "fault-psp"
TAMPERED = b"tampered with before it was ever written\n"


@pytest.fixture(scope="module")
def merchants(stack, falcon, tmp_path_factory):
    file = jsonl(
        tmp_path_factory.mktemp("faults") / "merchants.jsonl",
        [context(PSP, "fault"), context(PSP, "fault-other")],
    )
    loaded = falcon("merchants", "load", file)
    assert loaded.returncode == 0, loaded.stderr
    return stack


def balance_of(falcon, merchant):
    (balance,) = json.loads(falcon("balance", merchant, "--json").stdout)["balances"]
    return balance["confirmed"], balance["operations_count"]


def put_into_every_shard(target: Target, data: bytes) -> None:
    kinesis = target.client("kinesis")
    for shard in kinesis.list_shards(StreamName=target.stream)["Shards"]:
        kinesis.put_record(
            StreamName=target.stream,
            Data=data,
            PartitionKey="x",
            ExplicitHashKey=shard["HashKeyRange"]["StartingHashKey"],
        )


@pytest.fixture(scope="module")
def counted(merchants):
    """A segment that is counted, as it lies on the stream; a second merchant has one too."""
    for name in ("fault", "fault-other"):
        event = confirmed(PSP, f"counted-{name}", name, "100.00")
        observed.send(merchants, "confirmed", [json.dumps(event)])
    observed.drain(merchants)
    return next(
        record
        for record in observed.segments_on_stream(merchants)
        if ",counted-fault," in record["body"]
    )


FOREIGN = {
    "garbage": lambda record: b"\x00\xff\xfegarbage",
    "nothing": lambda record: b" ",
    "no object": lambda record: b"[1, 2]",
    "JSON of somebody else": lambda record: b'{"kind": "order", "amount": "1.00"}',
    "deep JSON": lambda record: b"[" * 20_000,
    "an altered amount": lambda record: altered(record, body=("100.00", "900.00")),
    "another sign": lambda record: altered(record, body=("100.00", "-100.00")),
    "another scale": lambda record: altered(record, body=("100.00", "100.000")),
    "another merchant": lambda record: altered(record, merchant_id=("fault", "fault-other")),
    "another balance": lambda record: altered(record, body=("bs-fault", "bs-fault-other")),
    "another stage": lambda record: altered(record, stage=("confirmed", "reconciled")),
    "another key": lambda record: altered(record, log_key=("confirmed/", "elsewhere/")),
    "a cut of the future": lambda record: json.dumps(
        {"kind": "cut", "cut_at": "2999-01-01T00:00:00Z", "shards": ["shardId-000000000000"]}
    ).encode(),
}


def altered(record, **changes):
    """The record with a part of a field replaced; the part must be there."""
    document = dict(record)
    for field, (old, new) in changes.items():
        assert old in document[field]
        document[field] = document[field].replace(old, new)
    return json.dumps(document).encode()


@dataclass(frozen=True)
class Aftermath:
    """All foreign records were put into every shard, and a cut behind them: what is new."""

    sent: dict[str, bytes]
    refused: list[observed.Refused]
    balances: tuple[object, object]
    as_of_moved: bool


@pytest.fixture(scope="module")
def aftermath(merchants, falcon, counted):
    def balances():
        return [balance_of(falcon, merchant) for merchant in ("m-fault", "m-fault-other")]

    earlier, as_of, before = observed.quarantined(merchants), observed.as_of(merchants), balances()
    sent = {name: make(counted) for name, make in FOREIGN.items()}
    for data in sent.values():
        put_into_every_shard(merchants, data)
    met = observed.pass_a_cut(merchants)
    refused = [each for each in observed.quarantined(merchants) if each not in earlier]
    return Aftermath(sent, refused, (before, balances()), as_of is not None and met > as_of)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_record_lies_in_quarantine_as_it_was(aftermath, name):
    found = [each for each in aftermath.refused if each.body == aftermath.sent[name]]
    assert found
    assert {each.code for each in found} == {"E_RECORD"}
    assert all(each.key.startswith("stream/date=") for each in found)


def test_foreign_records_change_no_balance_and_hold_up_no_cut(aftermath):
    before, after = aftermath.balances
    assert before == after
    assert aftermath.as_of_moved
    assert {each.body for each in aftermath.refused} == set(aftermath.sent.values())


def test_segments_behind_foreign_records_are_counted(merchants, falcon, counted):
    amount, lines = balance_of(falcon, "m-fault")
    put_into_every_shard(merchants, b"not ours")
    event = confirmed(PSP, "behind", "fault", "1.00")
    observed.send(merchants, "confirmed", [json.dumps(event)])
    observed.drain(merchants)
    assert balance_of(falcon, "m-fault") == (f"{float(amount) + 1:.2f}", lines + 1)


def test_the_same_record_again_is_neither_refused_nor_counted_twice(merchants, falcon, counted):
    before = balance_of(falcon, "m-fault"), observed.quarantined(merchants, "stream")
    for _ in range(2):
        put_into_every_shard(merchants, json.dumps(counted).encode())
    observed.pass_a_cut(merchants)
    assert (balance_of(falcon, "m-fault"), observed.quarantined(merchants, "stream")) == before


def test_a_tampered_log_is_never_overwritten_and_its_message_never_acknowledged(
    merchants, fresh_stack, tmp_path
):
    victim = json.dumps(confirmed(PSP, "victim", "fault", "5.00"))
    key = key_elsewhere(merchants, victim)
    stack = fresh_stack()
    target = stack.target
    file = jsonl(tmp_path / "merchants.jsonl", [context(PSP, "fault")])
    assert stack.falcon("merchants", "load", file).returncode == 0
    observed.stop_the_schedule(target)
    let_failed_messages_come_back_after(target, 4)
    target.client("s3").put_object(Bucket=target.log_bucket, Key=key, Body=TAMPERED)
    before = observed.log_objects(target)[key]

    others = [json.dumps(confirmed(PSP, f"other-{n}", "fault", "1.00")) for n in range(12)]
    observed.send(target, "confirmed", [*others[:6], victim, *others[6:]])
    queue = target.queues["confirmed"]
    observed.wait_until(lambda: len(observed.marks(target)) == len(others), what="others counted")
    observed.wait_until(lambda: observed.in_flight(target) == 1, what="only the victim left")
    let_failed_messages_come_back_after(target, 1)
    give_up_after(target, receives=3)
    observed.wait_until(lambda: observed.in_queue(target, queue.dlq_url) == 1, what="dead letter")

    (letter,) = target.client("sqs").receive_message(QueueUrl=queue.dlq_url)["Messages"]
    assert letter["Body"] == victim
    log = observed.log_objects(target)
    assert (log[key], log[key].body) == (before, TAMPERED)
    assert len(log) == len(others) + 1
    assert not any(",victim," in each["body"] for each in observed.segments_on_stream(target))
    assert observed.quarantined(target) == []
    observed.pass_a_cut(target)
    assert balance_of(stack.falcon, "m-fault") == ("12.00", 12)


def key_elsewhere(target, text):
    """Where another stack's log has the event: keys are derived from the event alone."""
    before = observed.log_objects(target)
    observed.send(target, "confirmed", [text])
    observed.drain(target)
    (key,) = set(observed.log_objects(target)) - set(before)
    return key


def let_failed_messages_come_back_after(target, seconds):
    """By the queue's visibility timeout; the dispatcher may not set its own delays of minutes."""
    dispatcher = target.client("lambda").get_function_configuration(
        FunctionName="falcon-balances-local-confirmed-dispatcher"
    )
    no_delays = {"Effect": "Deny", "Action": "sqs:ChangeMessageVisibility", "Resource": "*"}
    target.client("iam").put_role_policy(
        RoleName=dispatcher["Role"].rsplit("/", 1)[-1],
        PolicyName="no-delays",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [no_delays]}),
    )
    target.client("sqs").set_queue_attributes(
        QueueUrl=target.queues["confirmed"].url, Attributes={"VisibilityTimeout": str(seconds)}
    )


def give_up_after(target, receives):
    """Instead of a day of them."""
    sqs, url = target.client("sqs"), target.queues["confirmed"].url
    said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(said["Attributes"]["RedrivePolicy"]) | {"maxReceiveCount": receives}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})


def assume(target, name, policy):
    """The target with the keys of a new IAM user who may do what the policy says."""
    iam = target.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return dataclasses.replace(
        target,
        access_key_id=key["AccessKeyId"],
        secret_access_key=key["SecretAccessKey"],
    )


@pytest.fixture(scope="module")
def administrator(stack):
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    name = "administrator"
    yield assume(stack, name, {"Version": "2012-10-17", "Statement": [everything]})
    iam = stack.client("iam")
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="all")
    iam.delete_user(UserName=name)


BUCKETS = {
    "log": lambda target: target.log_bucket,
    "journal": observed.journal_bucket,
    "quarantine": lambda target: target.quarantine_bucket,
}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_even_who_may_do_everything_cannot_delete_what_is_written(
    stack, counted, administrator, bucket
):
    name = BUCKETS[bucket](stack)
    s3 = administrator.client("s3")
    (version, *_) = s3.list_object_versions(Bucket=name, MaxKeys=1)["Versions"]
    where = {"Bucket": name, "Key": version["Key"]}
    exact = where | {"VersionId": version["VersionId"]}
    body = s3.get_object(**exact)["Body"].read()
    rule = {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    for attempt in (
        lambda: s3.delete_object(**where),
        lambda: s3.delete_object(**exact),
        lambda: s3.delete_object(**exact, BypassGovernanceRetention=True),
        lambda: s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": version["Key"]}]}),
        lambda: s3.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": [rule]}
        ),
    ):
        with pytest.raises(ClientError) as denied:
            attempt()
        assert denied.value.response["Error"]["Code"] == "AccessDenied"
    assert s3.get_object(**where)["Body"].read() == body


def test_even_who_may_do_everything_cannot_write_the_journal(stack, administrator):
    name = observed.journal_bucket(stack)
    with pytest.raises(ClientError) as denied:
        administrator.client("s3").put_object(Bucket=name, Key="journal/forged.jsonl", Body=b"x")
    assert denied.value.response["Error"]["Code"] == "AccessDenied"


def test_the_same_administrator_may_delete_elsewhere(administrator):
    """So it is the buckets that refuse, not the keys."""
    s3 = administrator.client("s3")
    s3.create_bucket(
        Bucket="elsewhere",
        CreateBucketConfiguration={"LocationConstraint": administrator.region},
    )
    s3.put_object(Bucket="elsewhere", Key="k", Body=b"x")
    s3.delete_object(Bucket="elsewhere", Key="k")
    s3.delete_bucket(Bucket="elsewhere")
