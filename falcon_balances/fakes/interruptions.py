"""Interruptions: what may happen right before or right after the effect of any fake's call."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar


class Interrupt(Protocol):
    """Called with `before NAME` and `after NAME`; may raise, or let others run first."""

    def __call__(self, point: str, /) -> None: ...


class Crash(BaseException):
    """The process is gone: nothing may catch it, as nothing catches a Lambda's time-out."""


def never(_point: str) -> None:
    """No interruption."""


class Interruptible:
    """A fake that calls `interrupt` before and after each of its calls."""

    def __init__(self, interrupt: Interrupt = never) -> None:
        self.interrupt = interrupt


P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Interruptible)


def interruptible(
    call: Callable[Concatenate[F, P], R],
) -> Callable[Concatenate[F, P], R]:
    """Interrupts a call before and after its effect; an error after it is like a lost answer."""

    @wraps(call)
    def interrupted(self: F, /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.interrupt(f"before {call.__qualname__}")
        answer = call(self, *args, **kwargs)
        self.interrupt(f"after {call.__qualname__}")
        return answer

    return interrupted
