"""A race for the first piece of a range: the next gateway is asked when the one before takes too long."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.errors import CaregridError
from caregrid.storage.failover.policy import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from caregrid.storage.failover.pool import Pool


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A stream whose first piece is there; whoever has it closes it."""

    place: int  #: of its gateway
    first: bytes
    rest: AsyncGenerator[bytes]


class Race:
    """Opens one stream out of several that would give the same bytes.

    `open_at` returns the stream of the gateway at a place. Everything that does not win is cancelled and
    closed before `run` returns.
    """

    def __init__(self, pool: Pool, open_at: Callable[[int], AsyncGenerator[bytes]]) -> None:
        self._pool, self._open_at = pool, open_at
        self._outcomes: asyncio.Queue[Opened | CaregridError] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._racing = 0

    async def run(self, places: Sequence[int]) -> Opened | list[CaregridError]:
        """Return the first stream that begins, or every gateway's error."""
        outcome: Opened | list[CaregridError] = []
        try:
            async with asyncio.TaskGroup() as group:
                outcome = await self._first(group, deque(places))
                for task in self._tasks:
                    task.cancel()
        except BaseException:
            if isinstance(outcome, Opened):
                await close_stream(outcome.rest)
            raise
        finally:
            await self._close_others()
        return outcome

    async def _first(self, group: asyncio.TaskGroup, waiting: deque[int]) -> Opened | list[CaregridError]:
        errors: list[CaregridError] = []
        while waiting or self._racing:
            if self._racing == 0:
                self._start(group, waiting.popleft())
            outcome = await self._next_outcome(hedges=bool(waiting) and self._racing == 1)
            if outcome is None:
                self._start(group, waiting.popleft())
            elif isinstance(outcome, Opened):
                return outcome
            elif self._pool.policy.verdict(outcome) is Verdict.FINAL:
                return [outcome]
            else:
                errors.append(outcome)
        return errors

    async def _next_outcome(self, *, hedges: bool) -> Opened | CaregridError | None:
        # None when it is time to ask another gateway; a third one only after one of two has failed.
        try:
            async with asyncio.timeout(self._pool.hedge_delay_s() if hedges else None):
                outcome = await self._outcomes.get()
        except TimeoutError:
            return None
        self._racing -= 1
        return outcome

    def _start(self, group: asyncio.TaskGroup, place: int) -> None:
        self._racing += 1
        self._tasks.append(group.create_task(self._open(place), name=f"storage-read-{place}"))

    async def _open(self, place: int) -> None:
        stream = self._open_at(place)
        began = self._pool.begin(place)
        try:
            first = await anext(stream)
        except CaregridError as exc:
            self._pool.note_error(place, exc)
            self._outcomes.put_nowait(exc)
        except asyncio.CancelledError:
            self._pool.note_overtaken(place, self._pool.clock() - began)
            raise
        else:
            self._pool.note_answer(place, first_byte_after_s=self._pool.clock() - began)
            self._outcomes.put_nowait(Opened(place=place, first=first, rest=stream))

    async def _close_others(self) -> None:
        while not self._outcomes.empty():
            outcome = self._outcomes.get_nowait()
            if isinstance(outcome, Opened):
                await close_stream(outcome.rest)


async def close_stream(stream: AsyncGenerator[bytes]) -> None:
    """Close a stream before its end, so that its connection is free at once."""
    async with aclosing(stream):
        pass
