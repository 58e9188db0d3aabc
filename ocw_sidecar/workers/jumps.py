"""Notices when the wall clock was set, and keeps that from stopping work.

Leases and retries are times of the wall clock, since several machines share them. A clock that is set back
makes them lie in the future, where they would hold up work until the old time comes round again; one that is
set forward makes leases run out under those who hold them.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import Recoverable
from ocw_sidecar.pipeline.backoff import PASSING_FAULT, REFUSAL
from ocw_sidecar.workers.notifications import REST, lease_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocw_sidecar.notifications.port import Outbox
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.upkeep import Upkeep

LOOK_EVERY_S: Final = 5.0
#: Clocks that are disciplined slew by far less between two looks.
JUMP_S: Final = 2.0

log = structlog.get_logger()


class JumpWatch:
    """Compares the wall clock with one that cannot be set."""

    def __init__(
        self,
        bench: Bench,
        upkeep: Upkeep,
        outbox: Outbox,
        realign: Callable[[], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what is to be put right.

        Args:
            bench: its time is the wall clock.
            upkeep: of the queue.
            outbox: has channels that are leased, and rest, until a time.
            realign: plans wall-clock jobs anew.
            monotonic: seconds that only ever grow.
        """
        self._bench, self._upkeep, self._outbox = bench, upkeep, outbox
        self._realign, self._monotonic = realign, monotonic
        self._seen = self._look()

    async def run(self) -> None:
        """Put right what an earlier process left in the future, then watch until cancelled."""
        await self._settle(0.0)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.check()

    async def check(self) -> float:
        """Look once; return by how many seconds the wall clock has jumped since the last look."""
        wall, steady = self._look()
        jump = (wall - self._seen[0]) - (steady - self._seen[1])
        self._seen = wall, steady
        if abs(jump) < JUMP_S:
            return 0.0
        log.warning("clock_jumped", seconds=round(jump, 1))
        await self._settle(jump)
        return jump

    async def _settle(self, jump: float) -> None:
        now = self._bench.ports.now()
        try:
            # Before others find our leases run out, and before ours are taken for stale.
            await self._bench.leases.beat()
            pulled = await self._upkeep.pull_jobs(now=now, horizon=now + self._longest_wait())
            leased = now + lease_of(self._bench.settings)
            pulled += await self._outbox.pull(now=now, leased=leased, rested=now + REST.cap)
        except Recoverable as exc:
            log.warning("clock_jump_waits", reason=exc.code)
            return
        if jump:
            self._realign()
        if jump or pulled:
            log.info("queue_realigned", pulled=pulled)
            self._bench.bells.ring_all()

    def _longest_wait(self) -> timedelta:
        return max(timedelta(seconds=self._bench.settings.lease_s), PASSING_FAULT.cap, REFUSAL.cap)

    def _look(self) -> tuple[float, float]:
        return self._bench.ports.now().timestamp(), self._monotonic()
