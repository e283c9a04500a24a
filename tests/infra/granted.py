"""What each function may do, action by action, as the templates name it."""

LOG_OBJECTS = "arn:<Partition>:s3:::log-<AccountId>-<Region>/"
JOURNAL_OBJECTS = "arn:<Partition>:s3:::journal-<AccountId>-<Region>/"
QUARANTINE_OBJECTS = "arn:<Partition>:s3:::quarantine-<AccountId>-<Region>/"
SIGNING_KEY = "Signs the manifests of the transaction log"
STATEMENT_OBJECTS = "arn:<Partition>:s3:::statements-<AccountId>-<Region>/"
MANIFEST_OBJECTS = "arn:<Partition>:s3:::manifests-<AccountId>-<Region>/"
FOLDS_THE_LOG = {
    ("s3:ListBucket", "log-<AccountId>-<Region>.Arn"),
    ("s3:GetObject", f"{LOG_OBJECTS}*"),
}
STREAM, BALANCES = "balance-operations.Arn", "balances.Arn"
READS_MERCHANTS = {
    ("dynamodb:BatchGetItem", BALANCES),
    ("dynamodb:GetItem", BALANCES),
    ("dynamodb:Query", BALANCES),
    ("dynamodb:Query", f"{BALANCES}/index/by-window"),
    ("dynamodb:Query", f"{BALANCES}/index/by-open"),
    ("dynamodb:Query", f"{BALANCES}/index/by-reference"),
    ("dynamodb:Query", "event-claims.Arn"),
    *FOLDS_THE_LOG,
}
LOOKS_AT_QUEUES = {
    ("sqs:GetQueueAttributes", f"{stage}{kind}.Arn")
    for stage in ("confirmed", "reconciled", "payout", "adjustment")
    for kind in ("", "-dlq")
}


def dispatcher_of(stage):
    return {
        ("sqs:ReceiveMessage", f"{stage}.Arn"),
        ("sqs:DeleteMessage", f"{stage}.Arn"),
        ("sqs:GetQueueAttributes", f"{stage}.Arn"),
        ("sqs:ChangeMessageVisibility", f"{stage}.Arn"),
        ("states:StartSyncExecution", stage),
        ("s3:PutObject", f"{QUARANTINE_OBJECTS}{stage}/*"),
    }


FUNCTIONS = {
    "confirmed-dispatcher": dispatcher_of("confirmed"),
    "reconciled-dispatcher": dispatcher_of("reconciled"),
    "payout-dispatcher": dispatcher_of("payout"),
    "adjustment-dispatcher": dispatcher_of("adjustment"),
    "payout-decider": {
        ("dynamodb:GetItem", "event-claims.Arn"),
        ("dynamodb:PutItem", "event-claims.Arn"),
        ("dynamodb:UpdateItem", "event-claims.Arn"),
        ("dynamodb:BatchGetItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("dynamodb:UpdateItem", BALANCES),
        ("dynamodb:Query", f"{BALANCES}/index/by-window"),
        ("dynamodb:BatchGetItem", "merchant-contexts.Arn"),
        *FOLDS_THE_LOG,
    },
    "payout-logger": {
        ("dynamodb:UpdateItem", "event-claims.Arn"),
        ("s3:PutObject", f"{LOG_OBJECTS}payout/*"),
        ("s3:GetObject", f"{LOG_OBJECTS}payout/*"),
    },
    "payout-announcer": {
        ("dynamodb:UpdateItem", "event-claims.Arn"),
        ("sns:Publish", "payout-outcome-<Region>"),
    },
    "expirer": {
        ("dynamodb:Query", f"{BALANCES}/index/by-expiry"),
        ("dynamodb:BatchGetItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:UpdateItem", BALANCES),
    },
    "closer": {
        ("dynamodb:BatchGetItem", BALANCES),
        ("dynamodb:GetItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("dynamodb:Query", f"{BALANCES}/index/by-window"),
        ("dynamodb:BatchGetItem", "merchant-contexts.Arn"),
        *FOLDS_THE_LOG,
        ("s3:ListBucket", "journal-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", f"{JOURNAL_OBJECTS}journal/*"),
    },
    "systems-api": {
        ("dynamodb:BatchGetItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:UpdateItem", BALANCES),
        ("dynamodb:ConditionCheckItem", "event-claims.Arn"),
        ("dynamodb:BatchGetItem", "merchant-contexts.Arn"),
        # It knows no resources.
        ("cloudwatch:GetMetricData", "*"),
        *READS_MERCHANTS,
        *LOOKS_AT_QUEUES,
    },
    "splitter": {("dynamodb:BatchGetItem", "merchant-contexts.Arn")},
    "persister": {
        ("dynamodb:PutItem", "event-claims.Arn"),
        ("dynamodb:GetItem", "event-claims.Arn"),
        ("dynamodb:Query", "event-claims.Arn"),
        ("dynamodb:GetItem", BALANCES),
        ("s3:PutObject", f"{LOG_OBJECTS}*"),
        ("s3:GetObject", f"{LOG_OBJECTS}*"),
    },
    "publisher": {
        ("kinesis:PutRecords", STREAM),
        ("dynamodb:GetItem", "event-claims.Arn"),
        ("s3:GetObject", f"{LOG_OBJECTS}*"),
    },
    "reducer": {
        ("kinesis:DescribeStream", STREAM),
        ("kinesis:DescribeStreamSummary", STREAM),
        ("kinesis:GetRecords", STREAM),
        ("kinesis:GetShardIterator", STREAM),
        ("kinesis:ListShards", STREAM),
        ("dynamodb:BatchGetItem", BALANCES),
        ("dynamodb:DeleteItem", BALANCES),
        ("dynamodb:PutItem", BALANCES),
        ("dynamodb:UpdateItem", BALANCES),
        ("s3:PutObject", f"{QUARANTINE_OBJECTS}stream/*"),
        ("s3:PutObject", f"{QUARANTINE_OBJECTS}parked/*"),
        ("s3:PutObject", f"{JOURNAL_OBJECTS}journal/*"),
    },
    "cutter": {("kinesis:ListShards", STREAM), ("kinesis:PutRecord", STREAM)},
    "balance-api": READS_MERCHANTS,
    "sealer": {
        ("dynamodb:GetItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("s3:ListBucket", "journal-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", "arn:<Partition>:s3:::journal-<AccountId>-<Region>/journal/*"),
        ("s3:ListBucket", "manifests-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", f"{MANIFEST_OBJECTS}manifests/*"),
        ("s3:PutObject", f"{MANIFEST_OBJECTS}manifests/*"),
        ("kms:Sign", f"{SIGNING_KEY}.Arn"),
        ("kms:Verify", f"{SIGNING_KEY}.Arn"),
    },
    "reconciler": {
        ("dynamodb:GetItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("s3:ListBucket", "journal-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", f"{JOURNAL_OBJECTS}journal/*"),
        ("s3:ListBucket", "statements-<AccountId>-<Region>.Arn"),
        ("s3:GetObject", f"{STATEMENT_OBJECTS}statements/*"),
        ("s3:GetObject", f"{STATEMENT_OBJECTS}comparisons/*"),
        ("s3:PutObject", f"{STATEMENT_OBJECTS}comparisons/*"),
        ("s3:GetObject", f"{STATEMENT_OBJECTS}settled/*"),
        ("s3:PutObject", f"{STATEMENT_OBJECTS}settled/*"),
        ("s3:PutObject", f"{STATEMENT_OBJECTS}reports/*"),
    },
}
# In `test` and `live` only.
CLOSED, JOURNAL = "closed-<AccountId>-<Region>.Arn", "journal-<AccountId>-<Region>.Arn"
CLOSED_OBJECTS = "arn:<Partition>:s3:::closed-<AccountId>-<Region>/"
LISTS = ("GetBucketLocation", "ListBucket")
MAKES_DAYS = {
    "day-lister": {
        ("dynamodb:GetItem", BALANCES),
        ("dynamodb:Query", BALANCES),
        ("s3:ListBucket", JOURNAL),
        ("s3:GetObject", f"{JOURNAL_OBJECTS}journal/*"),
        ("s3:ListBucket", CLOSED),
        ("s3:GetObject", f"{CLOSED_OBJECTS}days/*"),
        ("s3:PutObject", f"{CLOSED_OBJECTS}pages/*"),
        ("s3:PutObject", f"{CLOSED_OBJECTS}published/*"),
    },
    "day-publisher": {
        ("s3:ListBucket", CLOSED),
        ("s3:GetObject", f"{CLOSED_OBJECTS}closed/*"),
        ("s3:GetObject", f"{CLOSED_OBJECTS}days/*"),
        ("s3:PutObject", f"{CLOSED_OBJECTS}days/*"),
        ("s3:PutObject", f"{CLOSED_OBJECTS}published/*"),
    },
}
INVOKE = "lambda:InvokeFunction"
WRITERS = ("splitter", "persister", "publisher")
TASKS = dict.fromkeys(("confirmed", "reconciled", "adjustment"), WRITERS) | {
    "payout": ("payout-decider", "payout-logger", "publisher", "payout-announcer")
}
LOG_DELIVERY = {
    (f"logs:{action}", "*")
    for action in (
        "CreateLogDelivery",
        "DeleteLogDelivery",
        "DescribeLogGroups",
        "DescribeResourcePolicies",
        "GetLogDelivery",
        "ListLogDeliveries",
        "PutResourcePolicy",
        "UpdateLogDelivery",
    )
}
