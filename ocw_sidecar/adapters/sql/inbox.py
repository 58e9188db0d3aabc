"""Where work waits for the threads that write: what comes in together is taken out together."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
S = TypeVar("S")

#: Bounds what one transaction holds back; by then the fsync is well shared.
MAX_GROUP: Final = 128


class Inbox(Generic[S]):
    """Functions of a session, in the order they come, with the promises of their results."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[_Ticket[S] | None] = queue.SimpleQueue()

    def put(self, work: Callable[[S], T]) -> Future[T]:
        """Hand a function over; its result comes once it is durable."""
        promise: Future[T] = Future()
        self._waiting.put((work, promise))
        return promise

    def close(self, threads: int) -> None:
        """Let this many threads end when what waits now is done."""
        for _ in range(threads):
            self._waiting.put(None)

    def groups(self) -> Iterator[Group[S]]:
        """Yield what waits, a group at a time, until closed; blocks while nothing does."""
        while (first := self._waiting.get()) is not None:
            group, open_ = self._gather(first)
            yield Group(group)
            if not open_:
                return

    def _gather(self, first: _Ticket[S]) -> tuple[list[_Ticket[S]], bool]:
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                ticket = self._waiting.get_nowait()
            except queue.Empty:
                break
            if ticket is None:
                return group, False
            group.append(ticket)
        return group, True


class Group(Generic[S]):
    """What shares a transaction; whoever was cancelled meanwhile is left out."""

    def __init__(self, tickets: Sequence[_Ticket[S]]) -> None:
        wanted = [(work, promise) for work, promise in tickets if promise.set_running_or_notify_cancel()]
        self.works = [work for work, _ in wanted]
        self._promises = [promise for _, promise in wanted]

    def settle(self, outcomes: Sequence[Any]) -> None:
        """Tell everybody; an outcome that is an exception is raised where it is awaited."""
        for promise, outcome in zip(self._promises, outcomes, strict=True):
            if isinstance(outcome, Exception):
                promise.set_exception(outcome)
            else:
                promise.set_result(outcome)

    def fail(self, fault: Exception) -> None:
        """Tell everybody of the same fault."""
        self.settle([fault] * len(self._promises))


_Ticket = tuple["Callable[[S], Any]", "Future[Any]"]
