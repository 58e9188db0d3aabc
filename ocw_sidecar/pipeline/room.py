"""How much more can be taken in, without a look at queue and disk for each of thousands a second."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import DiskLow, QueueFull
from ocw_sidecar.pipeline.states import OPEN_RECORD_STATES, SubmissionState

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.bench import Bench

#: What a look found is good for so long; what was taken in since then is counted on top.
LOOK_AGAIN_S: Final = 0.05

_OPEN: Final = frozenset(
    {("submission", str(SubmissionState.RECEIVED)), *(("record", str(state)) for state in OPEN_RECORD_STATES)}
)


@dataclass(slots=True)
class _Look:
    items: int
    free: int
    good_until: float


class Room:
    """What the queue and the disk have left."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._look = _Look(0, 0, good_until=0.0)
        self._looking = asyncio.Lock()

    async def refusal(self, announced: int = 0) -> QueueFull | DiskLow | None:
        """Return why no content of so many bytes can be taken in now, if so."""
        settings, look = self._bench.settings, await self._current()
        if look.items >= settings.queue_limit:
            return QueueFull()
        if look.free - announced < settings.min_free_disk:
            return DiskLow()
        return None

    def taken(self, length: int) -> None:
        """Count what is being taken in."""
        self._look.items += 1
        self._look.free -= length

    async def _current(self) -> _Look:
        if time.monotonic() < self._look.good_until:
            return self._look
        async with self._looking:
            if time.monotonic() >= self._look.good_until:
                self._look = await self._at_now()
        return self._look

    async def _at_now(self) -> _Look:
        tallies = await self._bench.queue.tallies()
        items = sum(tally.items for tally in tallies if (tally.kind, tally.state) in _OPEN)
        return _Look(items, self._bench.spool.free_bytes(), good_until=time.monotonic() + LOOK_AGAIN_S)
