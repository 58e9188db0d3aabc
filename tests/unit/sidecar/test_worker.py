"""The loop around every step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from caregrid.errors import DiskLow
from ocw_sidecar.pipeline.bells import Bell, Bells
from ocw_sidecar.ports import utc_now
from ocw_sidecar.workers.loop import Worker

if TYPE_CHECKING:
    from ocw_sidecar.clock.controls import Run
    from ocw_sidecar.pipeline.steps import Step
    from ocw_sidecar.workers.control import ControlWatch


@dataclass
class Script:
    """A step that plays a list of outcomes, then finds nothing."""

    outcomes: list[int | Exception]
    bell: Bell = Bell.STORE
    runs: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def run_once(self) -> int:
        """Play the next outcome."""
        self.runs += 1
        outcome = self.outcomes.pop(0) if self.outcomes else 0
        if isinstance(outcome, Exception):
            raise outcome
        if outcome == 0:
            self.idle.set()
        return outcome


@dataclass
class Gate:
    """What a worker asks before a run and tells after it."""

    is_paused: bool = False
    number: int = 0
    runs: list[Run] = field(default_factory=list)

    def paused(self, _worker: str) -> bool:
        """Tell whether to begin nothing."""
        return self.is_paused

    def asked(self, _worker: str) -> int:
        """Return the number of a single run."""
        return self.number

    def note(self, run: Run) -> None:
        """Take a run down; a single run is answered by it."""
        self.runs.append(run)
        if run.answers:
            self.number = 0


def worker(
    script: Script,
    bells: Bells,
    stop: asyncio.Event,
    tick_s: float = 3600.0,
    gate: Gate | None = None,
) -> Worker:
    """Return a worker around a script."""
    return Worker(
        name="storing",
        step=cast("Step", script),
        bells=bells,
        tick_s=tick_s,
        stop=stop,
        watch=cast("ControlWatch", gate or Gate()),
        now=utc_now,
    )


async def run_until(
    script: Script, bells: Bells, runs: int, *, ring: bool = False, **worker_options: Any
) -> None:
    """Run a worker until its step ran so often, then stop it."""
    stop = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(worker(script, bells, stop, **worker_options).run())
        while script.runs < runs:
            await script.idle.wait()
            script.idle.clear()
            if ring:
                bells.ring(Bell.STORE)
        stop.set()
        bells.ring_all()


async def test_works_on_while_there_is_work() -> None:
    """A busy step is called again at once, without bell or tick."""
    script = Script([3, 2, 1, 0])
    await run_until(script, Bells(), 4)
    assert 4 == script.runs


async def test_bell_wakes_an_idle_worker() -> None:
    """An idle worker works as soon as there may be work."""
    script = Script([0, 1, 0])
    await run_until(script, Bells(), 3, ring=True)
    assert 3 <= script.runs


async def test_tick_wakes_an_idle_worker() -> None:
    """Work that nobody rang for, such as a retry that fell due, is found by the tick."""
    script = Script([0, 1, 0])
    await run_until(script, Bells(), 3, tick_s=0.01)
    assert 3 <= script.runs


async def test_ring_while_working_is_not_missed() -> None:
    """A ring that comes between looking and waiting wakes the worker all the same."""
    bells = Bells()
    script = Script([0])
    original = script.run_once

    async def ring_meanwhile() -> int:
        found = await original()
        if script.runs == 1:
            bells.ring(Bell.STORE)
        return found

    script.run_once = ring_meanwhile  # type: ignore[method-assign]
    await run_until(script, bells, 2)
    assert 2 == script.runs


async def test_full_disk_makes_a_worker_wait() -> None:
    """A passing fault of the machine is waited out; the worker lives on."""
    script = Script([DiskLow(), 1, 0])
    with capture_logs() as logs:
        await run_until(script, Bells(), 3, tick_s=0.01)
    assert {
        "event": "worker_waits",
        "worker": "storing",
        "reason": "DISK_LOW",
        "log_level": "warning",
    } in logs


async def test_bug_ends_a_worker_and_names_its_place_only() -> None:
    """What is no passing fault goes up to the supervisor; the log says where, never what."""
    script = Script([RuntimeError("quotes content")])
    with capture_logs() as logs, pytest.raises(RuntimeError):
        await worker(script, Bells(), asyncio.Event()).run()
    (entry,) = logs
    assert ("worker_died", "RuntimeError") == (entry["event"], entry["fault"])
    assert entry["place"].startswith("test_worker.py:")
    assert "quotes" not in str(logs)


async def test_a_paused_worker_begins_nothing() -> None:
    """A pause holds until it is taken back; work that waits is then found."""
    script, gate = Script([3, 0]), Gate(is_paused=True)
    paused = worker(script, Bells(), asyncio.Event(), gate=gate)
    assert 0 == await paused.turn()
    assert 0 == script.runs
    gate.is_paused = False
    assert 3 == await paused.turn()


async def test_a_single_run_works_until_nothing_is_left() -> None:
    """A run that was asked for is done though the worker is paused, to the end, once, and answered."""
    script, gate = Script([2, 1, 0, 5]), Gate(is_paused=True, number=7)
    asked = worker(script, Bells(), asyncio.Event(), gate=gate)
    assert 3 == await asked.turn()
    assert 0 == await asked.turn()
    (run,) = gate.runs
    assert (7, {"items": 3}, None) == (run.answers, run.items, run.reason)


async def test_what_a_run_came_to_is_told() -> None:
    """Runs that did something and runs that failed are told, with the error's code; looks in vain are not."""
    script, gate = Script([2, 0, DiskLow()]), Gate()
    told = worker(script, Bells(), asyncio.Event(), gate=gate)
    for _ in range(3):
        await told.turn()
    assert [({"items": 2}, None, 0), ({"items": 0}, "DISK_LOW", 1)] == [
        (run.items, run.reason, run.failures) for run in gate.runs
    ]


async def test_a_failed_single_run_is_answered_too() -> None:
    """Whoever waits for a run learns that it failed."""
    script, gate = Script([DiskLow()]), Gate(number=4)
    await worker(script, Bells(), asyncio.Event(), gate=gate).turn()
    assert [(4, "DISK_LOW")] == [(run.answers, run.reason) for run in gate.runs]
