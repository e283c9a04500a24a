"""Compares programs that do the same work: seconds, memory, and whether they agree."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.programs import Program, measure
from bench.results import Bound, Result, reported


@dataclass(frozen=True, slots=True)
class Limit:
    """`name` takes at most `times` as long as the program `beside`; with `at_least`, at least."""

    text: str
    name: str
    times: float
    beside: str
    at_least: bool = False

    def judged(self, seconds: Mapping[str, float]) -> Bound:
        most = self.times * seconds[self.beside]
        own = seconds[self.name]
        return reported(self.text, holds=own >= most if self.at_least else own <= most)


def compared(
    folder: Path,
    name: str,
    title: str,
    programs: Mapping[str, Program],
    beside: str,
    notes: Sequence[str] = (),
    limits: Sequence[Limit] = (),
    besides: Mapping[str, str] | None = None,
    agreeing: Collection[str] | None = None,
    memory_mb_max: Mapping[str, int] | None = None,
) -> Result:
    """Compares each program with `beside`, or with the one that `besides` names for it. The
    `agreeing` programs, by default all, must find the same.
    """
    measured = measure(folder, programs)
    seconds = {each: done.seconds for each, done in measured.items()}
    found = {done.found for each, done in measured.items() if each in (agreeing or programs)}
    return Result(
        name=name,
        title=title,
        columns={
            "what": "what",
            "seconds": ("seconds", 2),
            "ratio": ("times what it stands beside", 2),
            "memory_mb": "MB at most",
        },
        rows=[
            {
                "what": each,
                "seconds": done.seconds,
                "ratio": done.seconds / seconds[(besides or {}).get(each, beside)],
                "memory_mb": done.memory_mb,
            }
            for each, done in measured.items()
        ],
        notes=notes,
        bounds=[
            Bound("all find the same", len(found) == 1),
            *(limit.judged(seconds) for limit in limits),
            *(
                reported(f"{each} holds {most} MB, at most", holds=measured[each].memory_mb < most)
                for each, most in (memory_mb_max or {}).items()
            ),
        ],
    )
