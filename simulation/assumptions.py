"""The dated table of what the simulation assumes about AWS, `assumptions.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Assumptions:
    """`latency_ms`: of a call, by service and operation, until its answer begins."""

    date: str
    source: str
    latency_ms: Mapping[str, float]
    other_latency_ms: float
    listed_key_ms: float
    """What each key adds to the latency of its listing."""
    transfer_bytes_per_s: float
    """Of a function, for all of its calls together."""
    vcpu_memory_mb: float
    """A function with this much memory has a whole vCPU; with less, a part of it."""
    warm_start_ms: float
    express_state_ms: float
    on_demand_table_doubles_s: float
    on_demand_stream_doubles_s: float
    on_demand_stream_shards: int
    on_demand_stream_shards_max: int
    express_starts_per_s: float
    in_flight_messages: int
    """Of a queue, at most: those that will come back later as well."""
    pollers_first: int
    pollers_more_per_minute: int

    def latency_s(self, call: str, items: int) -> float:
        of_keys = items * self.listed_key_ms if call.startswith("s3:List") else 0.0
        return (self.latency_ms.get(call, self.other_latency_ms) + of_keys) / 1000


@cache
def assumptions() -> Assumptions:
    text = (files("simulation") / "assumptions.json").read_text(encoding="utf-8")
    return Assumptions(**json.loads(text))
