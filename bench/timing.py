"""Times several paths in turn, again and again, so that ratios hold on a busy machine."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each repetition: the process's own CPU time, and time on the clock."""

    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)


def measure(paths: Mapping[str, Callable[[], object]], repetitions: int) -> dict[str, Times]:
    """The times of each path. Runs each once to warm up, then all in turn, `repetitions` times.

    Garbage collections skip all objects that exist before, because none of them will go.
    """
    gc.collect()
    gc.freeze()
    times = {name: Times() for name in paths}
    for repetition in range(repetitions + 1):
        for name, run in paths.items():
            wall_s, cpu_s = perf_counter(), process_time()
            run()
            if repetition:
                times[name].cpu_s.append(process_time() - cpu_s)
                times[name].wall_s.append(perf_counter() - wall_s)
    return times


def ratio(own: Sequence[float], beside: Sequence[float]) -> float:
    """The median of all repetitions' ratios."""
    return round(median(one / other for one, other in zip(own, beside, strict=True)), 2)
