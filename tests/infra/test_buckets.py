"""Log, journal, quarantine, manifests, statements: nothing in them ever changes or goes."""

import json

import pytest

LOG, QUARANTINE = "log-<AccountId>-<Region>", "quarantine-<AccountId>-<Region>"
MANIFESTS = "manifests-<AccountId>-<Region>"
STATEMENTS = "statements-<AccountId>-<Region>"
JOURNAL = "journal-<AccountId>-<Region>"
BUCKETS = [LOG, JOURNAL, QUARANTINE, MANIFESTS, STATEMENTS]
INVENTORIES = "inventories-<AccountId>-<Region>"
# What is in them can be made again; the emulator makes none of it.
CLOSED = "closed-<AccountId>-<Region>"
DERIVED = [INVENTORIES, CLOSED]


def statements(assembly, bucket):
    return next(
        policy["PolicyDocument"]["Statement"]
        for policy in assembly.properties("AWS::S3::BucketPolicy").values()
        if assembly.text(policy["Bucket"]) == bucket
    )


def is_tls_only(statement):
    return statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}


def is_write_once(statement):
    return statement.get("Condition") == {"Null": {"s3:if-none-match": "true"}}


def test_there_are_these_buckets_and_no_others(local, real):
    assert set(local.all("AWS::S3::Bucket")) == set(BUCKETS)
    assert set(real.all("AWS::S3::Bucket")) == {*BUCKETS, *DERIVED}


@pytest.mark.parametrize("bucket", [LOG, JOURNAL, MANIFESTS])
def test_what_is_written_once_takes_no_put_without_if_none_match(real, bucket):
    (deny,) = filter(is_write_once, statements(real, bucket))
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == (
        "Deny",
        {"AWS": "*"},
        "s3:PutObject",
    )
    assert real.text(deny["Resource"]) == f"{bucket}.Arn/*"


@pytest.mark.parametrize("bucket", [LOG, JOURNAL, MANIFESTS])
def test_s3_reports_at_once_what_no_function_of_ours_does(real, bucket):
    """A delete, also one that only hides, and every way of writing but a PUT."""
    said = real.all("AWS::S3::Bucket")[bucket]
    reports = said["Properties"]["NotificationConfiguration"]["TopicConfigurations"]
    assert {each["Event"] for each in reports} == {
        "s3:ObjectRemoved:*",
        "s3:LifecycleExpiration:*",
        "s3:ObjectCreated:Copy",
        "s3:ObjectCreated:Post",
        "s3:ObjectCreated:CompleteMultipartUpload",
    }
    assert {real.text(each["Topic"]) for each in reports} == {"tampering-<Region>"}
    # S3 asks the topic when the bucket is made: so the policy must be there by then.
    policies = real.all("AWS::SNS::TopicPolicy")
    assert set(said["DependsOn"]) & set(policies)


def test_any_report_sounds_the_alarm(real):
    [alarm] = [
        each
        for each in real.properties("AWS::CloudWatch::Alarm").values()
        if real.text(each["AlarmName"]) == "tampering"
    ]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SNS", "NumberOfMessagesPublished")
    assert (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["Period"]) == (1, 1, 60)


@pytest.mark.parametrize("bucket", BUCKETS + DERIVED)
def test_buckets_refuse_plain_http(real, bucket):
    (deny,) = filter(is_tls_only, statements(real, bucket))
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", {"AWS": "*"}, "s3:*")
    assert [real.text(resource) for resource in deny["Resource"]] == [
        f"{bucket}.Arn",
        f"{bucket}.Arn/*",
    ]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_nobody_deletes_in_any_environment(assembly, bucket):
    (deny,) = [s for s in statements(assembly, bucket) if s.get("Sid") == "DenyDeletes"]
    assert (deny["Effect"], deny["Principal"]) == ("Deny", {"AWS": "*"})
    assert "Condition" not in deny
    assert set(deny["Action"]) >= {
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:BypassGovernanceRetention",
        "s3:PutLifecycleConfiguration",
    }
    assert [assembly.text(resource) for resource in deny["Resource"]] == [
        f"{bucket}.Arn",
        f"{bucket}.Arn/*",
    ]


def test_nobody_but_the_reducer_writes_the_journal_whatever_iam_lets_others_do(assembly):
    said = [
        each for each in statements(assembly, JOURNAL) if each.get("Sid") == "DenyWritesOfOthers"
    ]
    (deny,) = said
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == (
        "Deny",
        {"AWS": "*"},
        "s3:PutObject",
    )
    assert assembly.text(deny["Resource"]) == f"{JOURNAL}.Arn/*"
    exempt = deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
    reducer = assembly.properties("AWS::Lambda::Function")["reducer"]["Role"]
    logical_id = assembly.text(reducer).removesuffix(".Arn")
    role = assembly.text(assembly.properties("AWS::IAM::Role")[logical_id]["RoleName"])
    assert [assembly.text(each) for each in exempt] == [
        f"arn:<Partition>:iam::<AccountId>:role/{role}",
        f"arn:<Partition>:sts::<AccountId>:assumed-role/{role}/*",
    ]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_local_leaves_out_these_two_kinds_of_statement_and_nothing_else(local, real, bucket):
    judged_locally = [
        statement
        for statement in statements(real, bucket)
        if not is_tls_only(statement) and not is_write_once(statement)
    ]
    # Roles are named after their environment.
    renamed = json.dumps(judged_locally).replace(real.settings.prefix, local.settings.prefix)
    assert statements(local, bucket) == json.loads(renamed)
    assert judged_locally != statements(real, bucket)


@pytest.mark.parametrize(
    ("environment", "mode", "days"),
    [("live", "COMPLIANCE", 3653), ("test", "GOVERNANCE", 30), ("local", "GOVERNANCE", 1)],
)
@pytest.mark.parametrize("bucket", BUCKETS)
def test_every_object_is_locked_from_the_start(assemblies, environment, bucket, mode, days):
    properties = assemblies[environment].properties("AWS::S3::Bucket")[bucket]
    assert properties["ObjectLockEnabled"] is True
    assert properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {
        "Mode": mode,
        "Days": days,
    }
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_nothing_in_a_locked_bucket_expires(assembly, bucket):
    assert "LifecycleConfiguration" not in assembly.properties("AWS::S3::Bucket")[bucket]


@pytest.mark.parametrize("bucket", BUCKETS + DERIVED)
def test_buckets_are_encrypted_private_and_owned_by_the_account(real, bucket):
    properties = real.properties("AWS::S3::Bucket")[bucket]
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["OwnershipControls"] == {
        "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
    }


def test_every_week_s3_lists_all_versions_of_the_log(real):
    """As `falcon audit verify --versions` reads them: CSV, with IsLatest and IsDeleteMarker, which
    S3 adds itself where all versions are listed.
    """
    [inventory] = real.properties("AWS::S3::Bucket")[LOG]["InventoryConfigurations"]
    destination = inventory["Destination"]
    assert real.text(destination["BucketArn"]) == f"{INVENTORIES}.Arn"
    assert (destination["Format"], destination["Prefix"]) == ("CSV", "inventory")
    assert (inventory["ScheduleFrequency"], inventory["Enabled"]) == ("Weekly", True)
    assert inventory["IncludedObjectVersions"] == "All"
    [allow] = [each for each in statements(real, INVENTORIES) if each["Effect"] == "Allow"]
    assert (allow["Principal"], allow["Action"]) == (
        {"Service": "s3.amazonaws.com"},
        "s3:PutObject",
    )
    assert [real.text(each) for each in allow["Condition"]["ArnLike"].values()] == [f"{LOG}.Arn"]


@pytest.mark.parametrize(
    ("bucket", "kept"),
    [(INVENTORIES, {"inventory/": 400}), (CLOSED, {"results/": 7, "pages/": 30})],
)
def test_what_can_be_made_again_expires(real, bucket, kept):
    rules = real.properties("AWS::S3::Bucket")[bucket]["LifecycleConfiguration"]["Rules"]
    expiring = {each["Prefix"]: each["ExpirationInDays"] for each in rules if "Prefix" in each}
    assert expiring == kept


def test_the_description_of_a_closed_day_is_written_once(real):
    (deny,) = filter(is_write_once, statements(real, CLOSED))
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == (
        "Deny",
        {"AWS": "*"},
        "s3:PutObject",
    )
    assert real.text(deny["Resource"]) == f"{CLOSED}.Arn/days/*"


def test_the_description_of_a_closed_day_cannot_be_deleted(real):
    """Otherwise another one could be written in its place."""
    (deny,) = (each for each in statements(real, CLOSED) if each.get("Sid") == "DenyDeletes")
    assert (deny["Effect"], deny["Principal"]) == ("Deny", {"AWS": "*"})
    assert deny["Action"] == ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    assert real.text(deny["Resource"]) == f"{CLOSED}.Arn/days/*"
