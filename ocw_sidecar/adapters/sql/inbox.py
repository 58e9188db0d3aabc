"""Where work waits for the threads that write: what comes in together is taken out together."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
S = TypeVar("S")

#: Bounds what one transaction holds back; by then the fsync is well shared.
MAX_GROUP: Final = 128


@dataclass(frozen=True, slots=True)
class Bulk(Generic[S]):
    """A function of many items that waits with one of them; it takes in what others wait with, too."""

    function: Callable[[S, Sequence[Any]], Sequence[Any]]
    item: Any

    def __call__(self, session: S) -> Any:
        """Call the function for this item alone."""
        (outcome,) = self.function(session, [self.item])
        return outcome


def calls(works: Sequence[Callable[[S], Any]]) -> Iterator[tuple[Callable[[S], Sequence[Any]], list[int]]]:
    """Yield what to call, and whose outcomes it returns: bulk works of one function are one call."""
    bulks: dict[Any, list[int]] = {}
    for number, work in enumerate(works):
        if isinstance(work, Bulk):
            bulks.setdefault(work.function, []).append(number)
        else:
            yield partial(_alone, work), [number]
    for function, numbers in bulks.items():
        items = [work.item for work in (works[number] for number in numbers) if isinstance(work, Bulk)]
        yield partial(_with, function, items), numbers


def _alone(work: Callable[[S], Any], session: S) -> list[Any]:
    return [work(session)]


def _with(
    function: Callable[[S, Sequence[Any]], Sequence[Any]], items: list[Any], session: S
) -> Sequence[Any]:
    return function(session, items)


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
