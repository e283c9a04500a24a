"""Settings for the embedded AWS on a developer's machine: small, and nothing is kept."""

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
    name="local",
    mode="test",
    emulated=True,
    creates_core_topics=True,
    keeps_data=False,
    password_sign_in_by_admin=True,
    has_layer=False,
    operators=("root",),
    log_lock=ObjectLock(mode="GOVERNANCE", days=1),
    journal_lock=ObjectLock(mode="GOVERNANCE", days=1),
    quarantine_lock=ObjectLock(mode="GOVERNANCE", days=1),
    manifest_lock=ObjectLock(mode="GOVERNANCE", days=1),
    bank_statement_lock=ObjectLock(mode="GOVERNANCE", days=1),
    sealing=Sealing(manifest_objects_max=50_000),
    # Old bank statements are compared like new ones.
    reconciling=Reconciling(days=3, look_back_days=4000),
    # The emulator returns at most ten messages, and a batching window would only cause waiting.
    queue=QueueReading(batch_size=10, window_s=0, max_concurrency=5),
    stream=Stream(shards=2, retention_h=24, batch_size=500, window_s=1),
    api=Api(
        merchants=Throttling(requests_per_second=100, burst=100),
        systems=Throttling(requests_per_second=100, burst=100),
        log_objects_max=2_000,
        web_origin="http://127.0.0.1:8000",
    ),
    functions={
        # Enough for an execution that fails late, and then for its messages one by one.
        "dispatcher": FunctionSettings(timeout_s=200, memory_mb=512),
        "splitter": FunctionSettings(timeout_s=14, memory_mb=512),
        "persister": FunctionSettings(timeout_s=29, memory_mb=512),
        "publisher": FunctionSettings(timeout_s=14, memory_mb=512),
        "payout-decider": FunctionSettings(timeout_s=19, memory_mb=512),
        "payout-logger": FunctionSettings(timeout_s=19, memory_mb=512),
        "payout-announcer": FunctionSettings(timeout_s=14, memory_mb=512),
        "reducer": FunctionSettings(timeout_s=60, memory_mb=512),
        "cutter": FunctionSettings(timeout_s=20, memory_mb=512),
        "expirer": FunctionSettings(timeout_s=50, memory_mb=512),
        "closer": FunctionSettings(timeout_s=840, memory_mb=1769),
        "day-lister": FunctionSettings(timeout_s=900, memory_mb=2048),
        "day-publisher": FunctionSettings(timeout_s=900, memory_mb=512),
        "balance-api": FunctionSettings(timeout_s=29, memory_mb=1024),
        "systems-api": FunctionSettings(timeout_s=29, memory_mb=1024),
        "sealer": FunctionSettings(timeout_s=60, memory_mb=512),
        "reconciler": FunctionSettings(timeout_s=300, memory_mb=512),
    },
    log_level="INFO",
    function_logs=RetentionDays.ONE_DAY,
)
