"""The loop of every worker: work while there is some, then wait for the bell or the tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from caregrid.errors import Recoverable
from ocw_sidecar.pipeline.bells import heard
from ocw_sidecar.pipeline.faults import place_of, reason_of

if TYPE_CHECKING:
    import asyncio

    from ocw_sidecar.pipeline.bells import Bells
    from ocw_sidecar.pipeline.steps import Step

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """One step, driven until `stop` is set; the step that runs then is finished."""

    name: str
    step: Step
    bells: Bells
    tick_s: float
    stop: asyncio.Event

    async def run(self) -> None:
        """Drive the step.

        Raises:
            Exception: the step failed outside any item's work, which is a bug; the daemon must stop.
        """
        while not self.stop.is_set():
            rung = self.bells.listen(self.step.bell)
            if not await self._step():
                await heard(rung, self.tick_s)

    async def _step(self) -> int:
        try:
            return await self.step.run_once()
        except Recoverable as exc:
            log.warning("worker_waits", worker=self.name, reason=reason_of(exc))
            return 0
        except Exception as exc:
            log.critical("worker_died", worker=self.name, fault=type(exc).__name__, place=place_of(exc))
            raise
