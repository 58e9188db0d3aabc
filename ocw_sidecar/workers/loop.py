"""The loop of every worker: work while there is some, then wait for the bell or the tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import Recoverable
from ocw_sidecar.clock.controls import Run
from ocw_sidecar.pipeline.bells import heard
from ocw_sidecar.pipeline.faults import UNEXPECTED, place_of, reason_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from datetime import datetime

    from ocw_sidecar.pipeline.bells import Bells
    from ocw_sidecar.pipeline.steps import Step
    from ocw_sidecar.workers.control import ControlWatch

#: A single run that was asked for ends after this many rounds, though there be more to do.
MAX_ROUNDS: Final = 1_000

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """One step, driven until `stop` is set; the step that runs then is finished.

    Several workers of one name are lanes: they are paused together.
    """

    name: str
    step: Step
    bells: Bells
    tick_s: float
    stop: asyncio.Event
    watch: ControlWatch
    now: Callable[[], datetime]

    async def run(self) -> None:
        """Drive the step.

        Raises:
            Exception: the step failed outside any item's work, which is a bug; the daemon must stop.
        """
        while not self.stop.is_set():
            rung = self.bells.listen(self.step.bell)
            if not await self.turn():
                await heard(rung, self.tick_s)

    async def turn(self) -> int:
        """Run once if that is wanted; return how much was done."""
        if number := self.watch.asked(self.name):
            return await self._step(rounds=MAX_ROUNDS, answers=number)
        if self.watch.paused(self.name):
            return 0
        return await self._step(rounds=1, answers=0)

    async def _step(self, *, rounds: int, answers: int) -> int:
        started_at, done = self.now(), 0
        try:
            for _ in range(rounds):
                count = await self.step.run_once()
                done += count
                if not count:
                    break
        except Recoverable as exc:
            log.warning("worker_waits", worker=self.name, reason=reason_of(exc))
            self._note(started_at, done, answers, reason_of(exc))
            return 0
        except Exception as exc:
            log.critical("worker_died", worker=self.name, fault=type(exc).__name__, place=place_of(exc))
            self._note(started_at, done, answers, UNEXPECTED)
            raise
        if done or answers:
            self._note(started_at, done, answers, None)
        return done

    def _note(self, started_at: datetime, done: int, answers: int, reason: str | None) -> None:
        run = Run(
            worker=self.name,
            started_at=started_at,
            ended_at=self.now(),
            items={"items": done},
            reason=reason,
            answers=answers,
            failures=int(reason is not None),
        )
        self.watch.note(run)
