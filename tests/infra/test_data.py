"""Tables, stream, users; and that what holds money outlives its stack."""

import pytest

STATEFUL = (
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::Kinesis::Stream",
    "AWS::Cognito::UserPool",
    "AWS::SQS::Queue",
    "AWS::KMS::Key",
)


@pytest.mark.parametrize("resource_type", STATEFUL)
def test_what_holds_money_outlives_its_stack(real, resource_type):
    resources = real.all(resource_type)
    assert resources
    for resource in resources.values():
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("resource_type", STATEFUL)
def test_local_leaves_nothing_behind(local, resource_type):
    assert {r["DeletionPolicy"] for r in local.all(resource_type).values()} == {"Delete"}


def test_the_stacks_refuse_to_be_deleted(real):
    manifest = (real.directory / "manifest.json").read_text()
    assert manifest.count('"terminationProtection": true') == len(real.templates)


# S3 tells the topic of deletes, and both belong to the buckets; the alarm is where the topic is.
TELLS_OF_DELETES = {"AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::CloudWatch::Alarm"}


def test_data_that_outlives_is_in_a_stack_of_its_own(assembly):
    types = {r["Type"] for r in assembly.templates["data"]["Resources"].values()}
    assert types - TELLS_OF_DELETES == {
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::DynamoDB::Table",
        "AWS::Kinesis::Stream",
        "AWS::Cognito::UserPool",
        "AWS::Cognito::UserPoolClient",
        "AWS::KMS::Key",
        "AWS::KMS::Alias",
        "AWS::Glue::Database",
        "AWS::Glue::Table",
    }


def test_the_key_that_signs_never_leaves_kms_and_is_found_by_its_alias(assembly):
    ((name, key),) = assembly.properties("AWS::KMS::Key").items()
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    (alias,) = assembly.properties("AWS::KMS::Alias").values()
    assert alias["AliasName"] == f"alias/{assembly.settings.prefix}-manifests"
    assert assembly.text(alias["TargetKeyId"]) == f"{name}.Arn"


def test_only_the_sealer_signs_whatever_iam_lets_others_do(assembly):
    (key,) = assembly.properties("AWS::KMS::Key").values()
    (deny,) = [each for each in key["KeyPolicy"]["Statement"] if each["Effect"] == "Deny"]
    assert (deny["Principal"], deny["Action"], deny["Resource"]) == ({"AWS": "*"}, "kms:Sign", "*")
    ((condition, names),) = deny["Condition"].items()
    ((name, exempt),) = names.items()
    assert (condition, name) == ("ArnNotLike", "aws:PrincipalArn")
    sealer = assembly.properties("AWS::Lambda::Function")["sealer"]["Role"]
    logical_id = assembly.text(sealer).removesuffix(".Arn")
    role = assembly.text(assembly.properties("AWS::IAM::Role")[logical_id]["RoleName"])
    assert [assembly.text(each) for each in exempt] == [
        f"arn:<Partition>:iam::<AccountId>:role/{role}",
        f"arn:<Partition>:sts::<AccountId>:assumed-role/{role}/*",
    ]


def test_what_is_kept_for_ever_is_stored_for_infrequent_access(assembly):
    tables = assembly.properties("AWS::DynamoDB::Table")
    assert {name: table["TableClass"] for name, table in tables.items()} == {
        "event-claims": "STANDARD_INFREQUENT_ACCESS",
        "merchant-contexts": "STANDARD",
        "balances": "STANDARD_INFREQUENT_ACCESS",
    }


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("event-claims", [("falcon_operation_id", "HASH"), ("stage", "RANGE")]),
        ("merchant-contexts", [("context_key", "HASH")]),
        ("balances", [("pk", "HASH"), ("sk", "RANGE")]),
    ],
)
def test_tables_have_their_keys_and_can_be_restored_to_any_second(assembly, table, keys):
    properties = assembly.properties("AWS::DynamoDB::Table")[table]
    assert [(key["AttributeName"], key["KeyType"]) for key in properties["KeySchema"]] == keys
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] is assembly.settings.keeps_data


def test_claims_and_contexts_never_expire(assembly):
    tables = assembly.properties("AWS::DynamoDB::Table")
    assert {name: "TimeToLiveSpecification" in table for name, table in tables.items()} == {
        "event-claims": False,
        "merchant-contexts": False,
        "balances": True,
    }
    assert tables["balances"]["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }


def test_marks_are_listed_in_the_order_of_counting(assembly):
    index, *_ = assembly.properties("AWS::DynamoDB::Table")["balances"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by-window"
    assert index["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["tags"]}
    assert [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]] == [
        ("spread", "HASH"),
        ("counted_order", "RANGE"),
    ]


def test_blocks_that_will_expire_are_listed_by_their_time(assembly):
    _, index, *_ = assembly.properties("AWS::DynamoDB::Table")["balances"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by-expiry"
    assert [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]] == [
        ("expiring", "HASH"),
        ("expiry", "RANGE"),
    ]


def test_operations_whose_stages_disagree_are_listed_by_merchant(assembly):
    _, _, index, _ = assembly.properties("AWS::DynamoDB::Table")["balances"][
        "GlobalSecondaryIndexes"
    ]
    assert index["IndexName"] == "by-open"
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]] == [
        ("open", "HASH"),
        ("sk", "RANGE"),
    ]


def test_operations_are_listed_by_the_references_they_bear(assembly):
    *_, index = assembly.properties("AWS::DynamoDB::Table")["balances"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by-reference"
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]] == [
        ("referenced", "HASH"),
        ("sk", "RANGE"),
    ]


@pytest.mark.parametrize(
    ("environment", "mode", "shards", "hours"),
    [
        ("local", "PROVISIONED", 2, 24),
        ("test", "PROVISIONED", 1, 168),
        ("live", "ON_DEMAND", None, 168),
    ],
)
def test_the_stream_keeps_a_week_and_scales_where_it_must(
    assemblies, environment, mode, shards, hours
):
    stream = assemblies[environment].properties("AWS::Kinesis::Stream")["balance-operations"]
    assert stream["StreamModeDetails"] == {"StreamMode": mode}
    assert stream.get("ShardCount") == shards
    assert stream["RetentionPeriodHours"] == hours
    assert stream["StreamEncryption"]["EncryptionType"] == "KMS"


def test_a_user_cannot_choose_a_merchant(assembly):
    """Nobody signs up; the attribute is immutable, and not among those that the client writes."""
    (pool,) = assembly.properties("AWS::Cognito::UserPool").values()
    (attribute,) = pool["Schema"]
    assert (attribute["Name"], attribute["Mutable"]) == ("merchant_id", False)
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    (client,) = assembly.properties("AWS::Cognito::UserPoolClient").values()
    assert client["ReadAttributes"] == ["custom:merchant_id"]
    assert client["WriteAttributes"] == ["locale"]
    assert client["GenerateSecret"] is False


def test_only_local_gives_tokens_for_a_password_held_by_an_administrator(assembly):
    (client,) = assembly.properties("AWS::Cognito::UserPoolClient").values()
    flows = client["ExplicitAuthFlows"]
    assert ("ALLOW_ADMIN_USER_PASSWORD_AUTH" in flows) is (assembly.settings.name == "local")
    assert "ALLOW_USER_PASSWORD_AUTH" not in flows


def test_passwords_are_strong_and_real_users_have_a_second_factor(real):
    (pool,) = real.properties("AWS::Cognito::UserPool").values()
    policy = pool["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] >= 12
    assert all(
        policy[f"Require{kind}"] for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols")
    )
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("ON", ["SOFTWARE_TOKEN_MFA"])
