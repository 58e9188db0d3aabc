"""Keeps the leases of what is being worked on alive."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import Recoverable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from ocw_sidecar.pipeline.items import Job
    from ocw_sidecar.pipeline.queue import Queue
    from ocw_sidecar.pipeline.states import Stage

#: Two heartbeats may fail before a lease runs out.
BEATS_PER_LEASE: Final = 3

log = structlog.get_logger()


class Leases:
    """Claims jobs, and extends their leases until they are let go."""

    def __init__(self, queue: Queue, lease_s: float, now: Callable[[], datetime]) -> None:
        self._queue, self._lease, self._now = queue, timedelta(seconds=lease_s), now
        self._held: set[Job] = set()

    async def claim(self, stage: Stage, limit: int) -> list[Job]:
        """Lease up to `limit` due jobs; hold them next."""
        now = self._now()
        return await self._queue.claim(stage, limit, now=now, until=now + self._lease)

    @contextmanager
    def holding(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Have the heartbeat keep these leases inside the block."""
        self._held.update(jobs)
        try:
            yield
        finally:
            self._held.difference_update(jobs)

    async def beat(self) -> None:
        """Extend every lease that is held now."""
        if self._held:
            await self._queue.extend(list(self._held), until=self._now() + self._lease)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / BEATS_PER_LEASE)
            try:
                await self.beat()
            except Recoverable as exc:
                log.warning("heartbeat_missed", reason=exc.code)
