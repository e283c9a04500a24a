"""Shares work between processes, each of which yields results one by one."""

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, NamedTuple, TypeVar

from falcon_balances.domain.errors import TransientError

T = TypeVar("T")

# Processes are forked, so they import nothing again; without fork, one process does everything.
CAN_FORK: Final = sys.platform == "linux"


class _Ended(NamedTuple):
    """The last item of a share, with the error that ended it early."""

    error: Exception | None


def from_all(shares: Sequence[Callable[[], Iterator[T]]]) -> Generator[T, None, None]:
    """The results of all shares, in any order: the first share runs here, each other in a process.

    Errors of a share are raised here. Raises TransientError if a process dies before its share
    ends.
    """
    here, *elsewhere = shares
    # Fork all processes before the first thread runs: forking with threads can deadlock.
    processes = [_Process(share) for share in elsewhere]
    came: SimpleQueue[T | _Ended] = SimpleQueue()
    for process in processes:
        Thread(target=process.receive_all, args=(came,), daemon=True).start()
    try:
        ended = 0
        for each in here():
            yield each
            while not came.empty():
                ended += yield from _unless_ended(came.get())
        while ended < len(processes):
            ended += yield from _unless_ended(came.get())
    finally:
        for process in processes:
            process.end()


def _unless_ended(item: T | _Ended) -> Generator[T, None, int]:
    """Yields the item, unless it ends a share; returns how many shares ended, 0 or 1."""
    if not isinstance(item, _Ended):
        yield item
        return 0
    if item.error is not None:
        raise item.error
    return 1


class _Process:
    def __init__(self, share: Callable[[], Iterator[Any]]) -> None:
        context = get_context("fork")
        self._receiving, sending = context.Pipe(duplex=False)
        self._process = context.Process(target=_send_all, args=(share, sending), daemon=True)
        self._process.start()
        sending.close()

    def receive_all(self, came: "SimpleQueue[Any]") -> None:
        item = None
        while not isinstance(item, _Ended):
            try:
                item = self._receiving.recv()
            except (EOFError, OSError):
                item = _Ended(
                    TransientError("a worker process ended before it had read its part of the log")
                )
            came.put(item)

    def end(self) -> None:
        self._process.terminate()
        self._process.join()


def _send_all(share: Callable[[], Iterator[Any]], sending: Connection) -> None:
    try:
        for each in share():
            sending.send(each)
    except Exception as error:  # noqa: BLE001 - raised again by who waits for it
        sending.send(_Ended(error))
    else:
        sending.send(_Ended(None))
