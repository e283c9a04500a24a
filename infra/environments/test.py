"""Settings for the PSPs' test mode on real AWS: like live, but small, with a deletable log."""

from aws_cdk.aws_logs import RetentionDays

from infra.environments.settings import (
    Api,
    EnvironmentSettings,
    FunctionSettings,
    ObjectLock,
    QueueReading,
    Reconciling,
    Sealing,
    Stream,
    Throttling,
)

SETTINGS = EnvironmentSettings(
    name="test",
    mode="test",
    emulated=False,
    creates_core_topics=False,
    keeps_data=True,
    password_sign_in_by_admin=False,
    has_layer=True,
    operators=("role/falcon-balances-operator",),
    log_lock=ObjectLock(mode="GOVERNANCE", days=30),
    journal_lock=ObjectLock(mode="GOVERNANCE", days=30),
    quarantine_lock=ObjectLock(mode="GOVERNANCE", days=30),
    manifest_lock=ObjectLock(mode="GOVERNANCE", days=30),
    bank_statement_lock=ObjectLock(mode="GOVERNANCE", days=30),
    sealing=Sealing(manifest_objects_max=50_000),
    reconciling=Reconciling(days=3, look_back_days=35),
    queue=QueueReading(batch_size=100, window_s=2, max_concurrency=10),
    stream=Stream(shards=1, retention_h=168, batch_size=1000, window_s=1),
    api=Api(
        merchants=Throttling(requests_per_second=50, burst=100),
        systems=Throttling(requests_per_second=50, burst=100),
        log_objects_max=2_000,
        web_origin=None,
    ),
    functions={
        "dispatcher": FunctionSettings(timeout_s=300, memory_mb=512),
        "splitter": FunctionSettings(timeout_s=14, memory_mb=1024),
        "persister": FunctionSettings(timeout_s=29, memory_mb=1024),
        "publisher": FunctionSettings(timeout_s=14, memory_mb=512),
        "payout-decider": FunctionSettings(timeout_s=19, memory_mb=512),
        "payout-logger": FunctionSettings(timeout_s=19, memory_mb=512),
        "payout-announcer": FunctionSettings(timeout_s=14, memory_mb=512),
        "reducer": FunctionSettings(timeout_s=120, memory_mb=1024),
        "cutter": FunctionSettings(timeout_s=20, memory_mb=256),
        "expirer": FunctionSettings(timeout_s=50, memory_mb=512),
        "balance-api": FunctionSettings(timeout_s=29, memory_mb=1024),
        "systems-api": FunctionSettings(timeout_s=29, memory_mb=1024),
        "sealer": FunctionSettings(timeout_s=900, memory_mb=2048),
        "reconciler": FunctionSettings(timeout_s=900, memory_mb=3008),
    },
    log_level="INFO",
    function_logs=RetentionDays.ONE_MONTH,
)
