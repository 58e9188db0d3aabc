"""Runs what blocks and knows no deadline: each in a thread of its own, a bounded number of them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final, TypeVar

from caregrid.errors import ChannelUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: A thread that outlives its deadline is let go and ends by itself; past this many, nothing new starts.
MAX_THREADS: Final = 64


class Threads:
    """Threads that nobody waits for at the end: each is a daemon, so a stuck one does not hold up a stop."""

    def __init__(self, limit: int = MAX_THREADS) -> None:
        self._places = threading.BoundedSemaphore(limit)

    async def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """Return the result of a function that blocks.

        Raises:
            ChannelUnreachable: it took longer, or too many already do.
        """
        if not self._places.acquire(blocking=False):
            raise ChannelUnreachable("too many channels hang; they are tried again")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        thread = threading.Thread(
            target=self._serve, args=(work, loop, outcome), name="caregrid-channel", daemon=True
        )
        thread.start()
        try:
            async with asyncio.timeout(timeout_s):
                return await outcome
        except TimeoutError:
            raise ChannelUnreachable from None

    def _serve(
        self, work: Callable[[], T], loop: asyncio.AbstractEventLoop, outcome: asyncio.Future[T]
    ) -> None:
        try:
            result: T | Exception = work()
        except Exception as exc:  # noqa: BLE001 - it belongs to whoever waits
            result = exc
        finally:
            self._places.release()
        try:
            loop.call_soon_threadsafe(_settle, outcome, result)
        except RuntimeError:  # the loop has ended meanwhile; nobody waits
            return


def _settle(outcome: asyncio.Future[T], result: T | Exception) -> None:
    if outcome.done():
        return
    if isinstance(result, Exception):
        outcome.set_exception(result)
    else:
        outcome.set_result(result)
