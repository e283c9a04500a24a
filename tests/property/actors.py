"""Actors that can be stopped at every call: greenlets under a hub that says how each goes on."""

from collections.abc import Callable

from greenlet import greenlet

from falcon_balances.domain.errors import TransientError
from falcon_balances.fakes.interruptions import Crash

Observe = Callable[[str], None]


class TaskDiedError(Exception):
    """A Lambda called by the state machine is gone: the execution fails, its caller lives on."""


FAULTS: dict[str, Callable[[], BaseException]] = {
    "crash": Crash,
    "task dies": TaskDiedError,
    "error": lambda: TransientError("injected"),
}


class Scheduler:
    """The hub. `interrupt` is given to every fake; `observe` sees every point in passing."""

    def __init__(self, observe: Observe) -> None:
        self._hub = greenlet.getcurrent()
        self._observe = observe

    def interrupt(self, point: str) -> None:
        self._observe(point)
        if greenlet.getcurrent() is self._hub:
            return
        fault = self._hub.switch(point)
        if fault is not None:
            raised = FAULTS[fault]()
            raise raised


class Actor:
    """Work that goes on call by call. What it raises in the end is kept, not passed on."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self.failed: BaseException | None = None
        self._work = work
        self._greenlet = greenlet(self._run)

    def _run(self, _fault: str | None = None) -> None:
        try:
            self._work()
        except (Exception, Crash) as error:  # noqa: BLE001 - whatever ends an actor ends only it
            self.failed = error

    @property
    def is_done(self) -> bool:
        return bool(self._greenlet.dead)

    def step(self, fault: str | None = None) -> None:
        """To the next point, with what is to happen at the one where it stands."""
        if not self.is_done:
            self._greenlet.switch(fault)

    def finish(self) -> None:
        while not self.is_done:
            self.step()
