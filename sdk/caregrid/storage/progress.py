"""How far a transfer is, told to whoever asked."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

#: Called with the bytes that are done and the bytes in all. Done bytes can become fewer when a transfer has
#: to start again; the last call of one that succeeds has both equal. What it raises ends the transfer.
Progress: TypeAlias = Callable[[int, int], Awaitable[None] | None]

#: A callback is not called more often than this, but for the first and the last time.
INTERVAL_S: Final = 0.25


class ProgressMeter:
    """Calls a callback at the start, now and then, and at the end of a block that succeeds.

    ::

        async with ProgressMeter(callback, total) as meter:
            await meter.reach(done)
    """

    def __init__(
        self, progress: Progress | None, total: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress, self._total, self._clock = progress, total, clock
        self._told: int | None = None
        self._next = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._told != self._total:
            await self._tell(self._total)

    async def reach(self, done: int) -> None:
        """Note how many bytes are done; calls the callback when it is time."""
        if self._clock() >= self._next and done != self._told:
            await self._tell(done)

    async def _tell(self, done: int) -> None:
        if self._progress is None:
            return
        self._told, self._next = done, self._clock() + INTERVAL_S
        waiting = self._progress(done, self._total)
        if inspect.isawaitable(waiting):
            await waiting
