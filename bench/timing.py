"""Times of several paths, one after the other and again, so that ratios hold on a busy machine."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time


@dataclass(frozen=True, slots=True)
class Times:
    """Of each repetition: seconds of the process's own CPU time, and by the clock on the wall."""

    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)


def measure(paths: Mapping[str, Callable[[], object]], repetitions: int) -> dict[str, Times]:
    """Each path once to warm up, then one after the other, again and again.

    What was there before is kept out of garbage collections, as nothing of it will go.
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
    """The median of the ratios within a repetition."""
    return round(median(one / other for one, other in zip(own, beside, strict=True)), 2)
