"""What a planted fault is: one text of the code that stands there once, and what replaces it."""

from dataclasses import dataclass

PIPELINE = ("tests/property/test_pipeline.py",)


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    path: str
    before: str
    after: str
    first: tuple[str, ...] = PIPELINE
    """The tests that find it soonest, as pytest takes them; all property tests follow."""
