"""What operators ask of this process's workers, kept near; and what the workers have to tell."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import Recoverable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ocw_sidecar.clock.controls import Controls, Run, WorkerState
    from ocw_sidecar.metrics import Metrics
    from ocw_sidecar.pipeline.bells import Bells

#: Workers that run each block tell of their runs together, so that an idle sidecar hardly writes.
TELL_EVERY_S: Final = 5.0
#: A process that was not seen for this long has ended without a word.
LOST_AFTER_S: Final = 20.0

log = structlog.get_logger()


class ControlWatch:
    """The gate that workers pass before each run, and the ear for what came of it."""

    def __init__(
        self,
        controls: Controls,
        *,
        process_id: bytes,
        bells: Bells,
        metrics: Metrics,
        now: Callable[[], datetime],
        leads: Callable[[], bool],
        interval_s: float,
    ) -> None:
        self._controls, self._process_id, self._bells = controls, process_id, bells
        self._metrics, self._now, self._leads, self._interval_s = metrics, now, leads, interval_s
        self._states: dict[str, WorkerState] = {}
        self._answered: dict[str, int] = {}
        self._untold: dict[str, Run] = {}
        self._told_at: datetime | None = None

    def paused(self, worker: str) -> bool:
        """Tell whether a worker is to begin nothing."""
        state = self._states.get(worker)
        return state is not None and state.paused

    def asked(self, worker: str) -> int:
        """Return the number of the newest single run that is still owed; 0 when there is none."""
        state = self._states.get(worker)
        if state is None or state.asked <= max(state.answered, self._answered.get(worker, 0)):
            return 0
        return state.asked

    def note(self, run: Run) -> None:
        """Take a run down; it is durable some seconds later."""
        seconds = (run.ended_at - run.started_at).total_seconds()
        if run.reason is None:
            ended = run.ended_at.timestamp()
            self._metrics.run_ended(run.worker, seconds=seconds, items=run.items, ended_at=ended)
        else:
            self._metrics.run_failed(run.worker, code=run.reason, seconds=seconds)
        if run.reason is None and run.height is not None:
            self._metrics.succeeded_at(run.worker, run.height)
        self._answered[run.worker] = max(run.answers, self._answered.get(run.worker, 0))
        earlier = self._untold.get(run.worker)
        self._untold[run.worker] = run if earlier is None else _together(earlier, run)

    async def run(self) -> None:
        """Look and tell until cancelled; a database that does not answer is waited out."""
        try:
            while True:
                try:
                    await self.look()
                    await self.tell()
                except Recoverable as exc:
                    log.warning("control_waits", reason=exc.code)
                await asyncio.sleep(self._interval_s)
        finally:
            self._metrics.leads(leads=False)

    async def look(self) -> None:
        """Read what is asked, and wake everybody when it has changed."""
        found = await self._controls.workers()
        changed = _wishes(found) != _wishes(self._states)
        self._states = found
        for name, state in found.items():
            self._metrics.paused(name, paused=state.paused)
        self._metrics.leads(leads=self._leads())
        if changed:
            self._bells.ring_all()

    async def tell(self, *, at_once: bool = False) -> None:
        """Write down what runs came to, and that this process lives; not more often than need be."""
        now = self._now()
        urgent = any(run.answers for run in self._untold.values())
        if not (at_once or urgent or self._told_at is None or self._is_time(now)):
            return
        self._told_at = now
        while self._untold:
            name = next(iter(self._untold))
            run = self._untold.pop(name)
            try:
                await self._controls.note_run(run)
            except Recoverable:
                later = self._untold.get(name)
                self._untold[name] = run if later is None else _together(run, later)
                raise
        await self._controls.note_process(self._process_id, leads=self._leads(), now=now)

    async def end(self) -> None:
        """Write the rest down, and that this process has stopped."""
        try:
            await self.tell(at_once=True)
            await self._controls.end_process(self._process_id)
        except Recoverable as exc:
            log.warning("control_waits", reason=exc.code)

    def _is_time(self, now: datetime) -> bool:
        # A wall clock that was set back must not silence us.
        return self._told_at is None or abs(now - self._told_at) >= timedelta(seconds=TELL_EVERY_S)


def _together(earlier: Run, later: Run) -> Run:
    heights = [run.height for run in (earlier, later) if run.height is not None]
    return replace(
        later,
        runs=earlier.runs + later.runs,
        failures=earlier.failures + later.failures,
        answers=max(earlier.answers, later.answers),
        height=max(heights, default=None),
    )


def _wishes(states: dict[str, WorkerState]) -> dict[str, tuple[bool, int]]:
    return {name: (state.paused, state.asked) for name, state in states.items()}
