"""Calls that come at about the same time, made as one: a hop to a thread costs more than what it is for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")
S = TypeVar("S")


class Gathered(Generic[T, S]):
    """A function of one item that is called for several together; one call at a time is under way.

    `together` returns an outcome for each item, in their order; an outcome that is an exception is raised
    where the item's caller waits. What it raises itself is raised by all of its items.
    """

    def __init__(
        self, together: Callable[[Sequence[T]], Awaitable[Sequence[S | Exception]]], *, most: int
    ) -> None:
        """Take the function of many, and how many items one call of it has at most."""
        self._together, self._most = together, most
        self._waiting: list[_Ticket[T, S]] = []
        self._turn = asyncio.Lock()

    async def __call__(self, item: T) -> S:
        """Return the item's outcome."""
        ticket = _Ticket[T, S](item)
        self._waiting.append(ticket)
        try:
            async with self._turn:
                while not ticket.promise.done():
                    await self._serve()
            return ticket.promise.result()
        finally:
            ticket.drop()

    async def _serve(self) -> None:
        await asyncio.sleep(0)  # who is about to ask comes along
        self._waiting = [each for each in self._waiting if not each.promise.cancelled()]
        group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            outcomes = await self._together([each.item for each in group])
        except Exception as exc:  # noqa: BLE001 - belongs to whoever asked
            outcomes = [exc] * len(group)
        except BaseException:
            # Only the one who made the call goes; the next one makes it again for the others.
            self._waiting = [*group, *self._waiting]
            raise
        for ticket, outcome in zip(group, outcomes, strict=True):
            ticket.settle(outcome)


class _Ticket(Generic[T, S]):
    def __init__(self, item: T) -> None:
        self.item = item
        self.promise: asyncio.Future[S] = asyncio.get_running_loop().create_future()

    def settle(self, outcome: S | Exception) -> None:
        if self.promise.done():
            return
        if isinstance(outcome, Exception):
            self.promise.set_exception(outcome)
        else:
            self.promise.set_result(outcome)

    def drop(self) -> None:
        # An exception that nobody looked at would be logged.
        if not self.promise.cancel() and not self.promise.cancelled():
            self.promise.exception()
