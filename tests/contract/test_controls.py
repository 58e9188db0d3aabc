"""Control of workers, and upkeep of the queue, on each kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ocw_sidecar.adapters.sql.controls import SqlControls
from ocw_sidecar.clock.controls import Run, WorkerState

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ONE, TWO = b"\x01" * 16, b"\x02" * 16
RUN = Run(
    worker="integrity",
    started_at=NOW,
    ended_at=NOW + timedelta(seconds=2),
    items={"checked": 3},
    height=100,
)


async def test_a_pause_is_seen_by_all_and_keeps_its_first_author(database: Database) -> None:
    """Who paused it first, and when, stays on record until somebody resumes it."""
    controls = SqlControls(database)
    assert {} == await controls.workers()
    await controls.pause("integrity", by="command line", now=NOW)
    await controls.pause("integrity", by="somebody else", now=NOW + timedelta(hours=1))
    state = (await SqlControls(database).workers())["integrity"]
    expected = WorkerState(name="integrity", paused=True, paused_at=NOW, paused_by="command line")
    assert expected == state
    await controls.resume("integrity")
    assert WorkerState(name="integrity") == (await controls.workers())["integrity"]


async def test_runs_are_kept(database: Database) -> None:
    """The last run with its counts and its error, the last success, and how many there were."""
    controls = SqlControls(database)
    await controls.note_run(RUN)
    failed = replace(
        RUN,
        ended_at=NOW + timedelta(hours=1),
        items={},
        reason="STORAGE_UNREACHABLE",
        height=None,
        runs=3,
        failures=2,
    )
    await controls.note_run(failed)
    state = (await controls.workers())["integrity"]
    assert (4, 2, "STORAGE_UNREACHABLE", 100) == (state.runs, state.failures, state.reason, state.height)
    assert (RUN.ended_at, failed.ended_at) == (state.succeeded_at, state.ended_at)
    assert {} == state.items


async def test_single_runs_are_numbered_and_answered(database: Database) -> None:
    """A request stands until a run answers it; a late word of an earlier run takes nothing back."""
    controls = SqlControls(database)
    assert [1, 2] == [await controls.ask("integrity"), await controls.ask("integrity")]
    await controls.note_run(replace(RUN, answers=2))
    await controls.note_run(replace(RUN, answers=1))
    await controls.note_run(RUN)
    state = (await controls.workers())["integrity"]
    assert (2, 2) == (state.asked, state.answered)
    assert 3 == await controls.ask("integrity")


async def test_processes_that_are_silent_are_lost(database: Database) -> None:
    """One that ended without a word is forgotten; one that stops says so."""
    controls = SqlControls(database)
    await controls.note_process(ONE, leads=True, now=NOW)
    await controls.note_process(TWO, leads=False, now=NOW + timedelta(seconds=30))
    both = await controls.processes(alive_since=NOW)
    assert [(ONE, True), (TWO, False)] == [(each.process_id, each.leads) for each in both]
    await controls.note_process(TWO, leads=True, now=NOW + timedelta(seconds=40))
    [left] = await controls.processes(alive_since=NOW + timedelta(seconds=20))
    assert (TWO, True, NOW + timedelta(seconds=30)) == (left.process_id, left.leads, left.started_at)
    await controls.end_process(TWO)
    assert [] == await controls.processes(alive_since=NOW)
