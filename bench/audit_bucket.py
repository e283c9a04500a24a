"""Replay from the embedded S3, beside a loop of the same GETs with the same concurrency."""

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING, Final

from bench.embedded import stack_of_its_own
from bench.results import Result
from falcon_balances.adapters.listed_objects import ListedObjects
from falcon_balances.audit.log_bucket import CONCURRENT_GETS, LogBucket
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from generated.logs import objects_of, segments
from inprocess.aws import create_bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVENTS: Final = 1_000  # 2,200 objects
_BUCKET: Final = "falcon-bench-audit"


def run(events: int = EVENTS) -> list[Result]:
    objects = objects_of(segments(events))
    with stack_of_its_own() as (stack, _), ThreadPoolExecutor(CONCURRENT_GETS) as pool:
        s3: S3Client = stack.target.client("s3")
        create_bucket(s3, _BUCKET, stack.target.region)
        list(
            pool.map(
                lambda each: s3.put_object(Bucket=_BUCKET, Key=each[0], Body=each[1]),
                objects.items(),
            )
        )
        log = LogBucket(ListedObjects(s3, _BUCKET))
        replay(log, Selection(since="2099-01-01"))  # opens the connections
        begun = perf_counter()
        done = replay(log, Selection())
        replay_s = perf_counter() - begun
        begun = perf_counter()
        size = sum(
            pool.map(
                lambda key: len(s3.get_object(Bucket=_BUCKET, Key=key)["Body"].read()), objects
            )
        )
        loop_s = perf_counter() - begun
    assert (done.objects, done.bytes_read, done.findings) == (len(objects), size, [])
    return [
        Result(
            name="audit_bucket",
            title=f"{len(objects):,} objects in the embedded S3, {CONCURRENT_GETS} GETs at once",
            columns={"what": "what", "seconds": ("seconds", 2), "per_s": "objects/s"},
            rows=[
                {"what": what, "seconds": seconds, "per_s": len(objects) / seconds}
                for what, seconds in (("replay", replay_s), ("get_object in a loop", loop_s))
            ],
            notes=("the emulator answers with one process on the same cores; once each",),
        )
    ]
