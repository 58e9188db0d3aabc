"""Lets many callers share one submitter: their calls wait a moment for each other and go out together.

What is kept is what is to be done, never a signed extrinsic: signing comes last, when a batch goes out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from caregrid.chain.port import Receipt, Submitter
from caregrid.errors import ChainBusy, ChainTimeout, ChainUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from caregrid.chain.port import Call

#: As many calls as go out without waiting for more, and are signed with one look at the chain.
SIZE: Final = 16
#: A twentieth of a block's time: few calls miss a block that they would have made alone.
AGE_S: Final = 0.1
#: Calls that may wait, of all callers; a call is some hundred bytes, or 10 kB for a full batch of records.
ROOM: Final = 4_096
#: Batches that may be under way to finality at the same time: with the largest calls three full blocks. More
#: would not go faster, but who comes with a call of his own would have to wait until they are through.
UNDER_WAY: Final = 8
#: Some ten blocks; a queue that has no room for so long will not have it soon.
ROOM_TIMEOUT_S: Final = 20.0


@dataclass(kw_only=True, slots=True, eq=False)
class _Waiting:
    call: Call
    outcome: asyncio.Future[Receipt | Exception]


@dataclass(kw_only=True, slots=True, eq=False)
class _Lane:
    """What one caller has waiting."""

    waiting: deque[_Waiting] = field(default_factory=deque)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What a submitter has to do, and has done."""

    waiting: int  #: calls that wait for a batch
    under_way: int  #: batches whose outcomes are not known yet
    batches: int  #: that went out, ever
    calls: int  #: in these


class BatchingSubmitter(Submitter):
    """In front of the one submitter of a key. Callers take turns, whoever brings many and whoever brings one.

    `run` has to run meanwhile, in a task group of the owner's: calls that come before it wait for it. It can
    be cancelled, which gives up what is under way, and be run again.
    """

    def __init__(
        self,
        inner: Submitter,
        *,
        size: int = SIZE,
        age_s: float = AGE_S,
        under_way: int = UNDER_WAY,
        room: int = ROOM,
    ) -> None:
        """Wrap a submitter; nobody else may use it from now on.

        Args:
            inner: who signs and sends.
            size: calls that go out together without waiting for more.
            age_s: how long a call waits for others, while not too many batches are under way.
            under_way: batches that may be on their way to finality at the same time.
            room: calls that may wait; further callers wait for room.
        """
        self.account = inner.account
        self._inner, self._size, self._age_s, self._most = inner, size, age_s, under_way
        self._room = asyncio.Semaphore(room)
        self._lanes: deque[_Lane] = deque()
        self._count = self._under_way = self._batches = self._calls = 0
        self._due = 0.0  # when the first of those that wait has to go
        self._changed = asyncio.Event()
        self._stopped = self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def load(self) -> Load:
        """What there is to do now, and was done until now."""
        return Load(waiting=self._count, under_way=self._under_way, batches=self._batches, calls=self._calls)

    async def submit(self, call: Call) -> Receipt:
        """Submit a call together with others'; see `Submitter.submit`.

        Raises:
            ChainBusy: there was no room among the waiting; nothing was sent.
            ChainUnreachable: as there, or `run` has ended.
        """
        [result] = await self.submit_many([call])
        if isinstance(result, Exception):
            raise result
        return result

    async def submit_many(self, calls: Iterable[Call]) -> list[Receipt | Exception]:
        """Submit several calls together with others'; the results stand in the order of the calls.

        When the caller is cancelled, those of his calls that still wait are not sent; the others' go on.
        """
        lane, listed = _Lane(), list(calls)
        entered: list[_Waiting] = []
        try:
            fault = await self._enter(lane, listed, entered)
            outcomes = [await waiting.outcome for waiting in entered]
        finally:
            self._leave(lane)
        # One without room means no room for those behind it.
        return outcomes + [fault] * (len(listed) - len(outcomes)) if fault is not None else outcomes

    async def run(self) -> None:
        """Send what waits, until closed; then return when all is through."""
        self._stopped = False
        self._idle.clear()
        places = asyncio.Semaphore(self._most)
        try:
            async with asyncio.TaskGroup() as group:
                while await places.acquire() and (batch := await self._collect()):
                    group.create_task(self._send(batch, places), name="chain batch")
        finally:
            self._stopped = True
            self._end(self._take(self._count), _stopped())
            self._idle.set()

    async def close(self) -> None:
        """Take nothing more, send what waits, wait for its outcome, and disconnect."""
        self._closing = True
        self._changed.set()
        await self._idle.wait()
        self._end(self._take(self._count), _stopped())
        await self._inner.close()

    async def _enter(self, lane: _Lane, calls: Sequence[Call], entered: list[_Waiting]) -> Exception | None:
        """Let calls wait in a lane as there is room; return why not all do."""
        loop = asyncio.get_running_loop()
        for call in calls:
            try:
                async with asyncio.timeout(ROOM_TIMEOUT_S):
                    await self._room.acquire()
            except TimeoutError:
                return ChainBusy()
            if self._closing or self._stopped:
                self._room.release()
                return _stopped()
            waiting = _Waiting(call=call, outcome=loop.create_future())
            entered.append(waiting)
            if not self._count:
                self._due = loop.time() + self._age_s
            if not lane.waiting:
                self._lanes.append(lane)
            lane.waiting.append(waiting)
            self._count += 1
            self._changed.set()
        return None

    def _leave(self, lane: _Lane) -> None:
        """Take out what still waits in a lane."""
        if lane.waiting:
            self._lanes.remove(lane)
            for _ in lane.waiting:
                self._count -= 1
                self._room.release()
            lane.waiting.clear()

    async def _collect(self) -> list[_Waiting]:
        """Return the next batch; nothing when closed and empty."""
        while True:
            while not self._count:
                if self._closing:
                    return []
                await self._next_change()
            await self._fill()
            # All may have been cancelled meanwhile.
            if batch := self._take(self._size):
                return batch

    async def _fill(self) -> None:
        """Wait for more calls, until they are enough or the first has waited long enough."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._due):
                while 0 < self._count < self._size and not self._closing:
                    await self._next_change()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _take(self, most: int) -> list[_Waiting]:
        """Take calls out, one of each lane in turn."""
        taken: list[_Waiting] = []
        while self._lanes and len(taken) < most:
            lane = self._lanes.popleft()
            taken.append(lane.waiting.popleft())
            self._count -= 1
            self._room.release()
            if lane.waiting:
                self._lanes.append(lane)
        return taken

    async def _send(self, batch: Sequence[_Waiting], places: asyncio.Semaphore) -> None:
        self._under_way += 1
        self._batches += 1
        self._calls += len(batch)
        try:
            results = await self._inner.submit_many([waiting.call for waiting in batch])
        except asyncio.CancelledError:
            self._end(batch, ChainTimeout())
            raise
        except Exception as exc:  # noqa: BLE001 - the callers' business; the next batch may do better
            self._end(batch, exc)
        else:
            for waiting, result in zip(batch, results, strict=True):
                _tell(waiting, result)
        finally:
            self._under_way -= 1
            places.release()

    @staticmethod
    def _end(ended: Iterable[_Waiting], outcome: Exception) -> None:
        for waiting in ended:
            _tell(waiting, outcome)


def _stopped() -> ChainUnreachable:
    return ChainUnreachable("the submitter has stopped; nothing was sent")


def _tell(waiting: _Waiting, outcome: Receipt | Exception) -> None:
    # A caller who was cancelled does not want to know.
    if not waiting.outcome.done():
        waiting.outcome.set_result(outcome)
