"""Replay from the embedded S3, beside a loop of the same GETs with the same concurrency."""

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING, Final

from bench.embedded import stack_of_its_own
from bench.results import Column, Result
from falcon_balances.audit.log_objects import CONCURRENT_GETS, LogBucket, Selection
from falcon_balances.audit.replay import replay
from generated.logs import objects_of, segments

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVENTS: Final = 1_000  # 2,200 objects
_BUCKET: Final = "falcon-bench-audit"


def run(events: int = EVENTS) -> Result:
    objects = objects_of(segments(events))
    with stack_of_its_own() as (stack, _):
        s3: S3Client = stack.target.client("s3")
        _fill(s3, stack.target.region, objects)
        replay(LogBucket(s3, _BUCKET), Selection(stage=None, since="2099-01-01"))  # connections
        begun = perf_counter()
        done = replay(LogBucket(s3, _BUCKET), Selection())
        replay_s = perf_counter() - begun
        begun = perf_counter()
        size = _get_all(s3, list(objects))
        loop_s = perf_counter() - begun
    assert (done.objects, done.bytes_read, done.findings) == (len(objects), size, [])
    return Result(
        name="audit_bucket",
        title=f"{len(objects):,} objects in the embedded S3, {CONCURRENT_GETS} GETs at once",
        columns=[
            Column("what", "what"),
            Column("seconds", "seconds", 2),
            Column("per_s", "objects/s"),
        ],
        rows=[
            {"what": what, "seconds": seconds, "per_s": len(objects) / seconds}
            for what, seconds in (("replay", replay_s), ("get_object in a loop", loop_s))
        ],
        notes=["the emulator answers with one process on the same cores; once each"],
    )


def _fill(s3: "S3Client", region: str, objects: dict[str, bytes]) -> None:
    s3.create_bucket(
        Bucket=_BUCKET,
        CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
    )
    with ThreadPoolExecutor(CONCURRENT_GETS) as pool:
        for _ in pool.map(
            lambda each: s3.put_object(Bucket=_BUCKET, Key=each[0], Body=each[1]), objects.items()
        ):
            pass


def _get_all(s3: "S3Client", keys: list[str]) -> int:
    def size_of(key: str) -> int:
        return len(s3.get_object(Bucket=_BUCKET, Key=key)["Body"].read())

    with ThreadPoolExecutor(CONCURRENT_GETS) as pool:
        return sum(pool.map(size_of, keys))
