"""Workers while they run: due jobs, leadership, the wall clock, control."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from caregrid.chain import RecordScope, calls
from caregrid.errors import ConfigInvalid, SidecarUnreachable, StorageUnreachable, WorkerUnknown
from ocw_sidecar import operating
from ocw_sidecar.adapters.alone import LocalTasks
from ocw_sidecar.adapters.home import locked
from ocw_sidecar.cli import doctor_sidecar
from ocw_sidecar.clock.controls import Run
from ocw_sidecar.daemon import Daemon
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.steps import Step
from ocw_sidecar.ports import Election
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.clock import Clock
from ocw_sidecar.workers.crew import WORKERS
from ocw_sidecar.workers.intervals import IntervalWorker, WallJob
from ocw_sidecar.workers.leading import Leading
from ocw_sidecar.workers.loop import Worker
from ocw_sidecar.workers.wall import WallClock
from tests.unit.sidecar.worker_world import RealTime, Working, mine, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from ocw_sidecar.pipeline.bench import Bench


class Counting(IntervalWorker, WallJob):
    """Counts its runs; may be made to hang or to fail."""

    name: ClassVar[str] = "integrity"

    def __init__(self) -> None:
        self.heights: list[int] = []
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.began = asyncio.Event()

    async def run(self, height: int = -1) -> Mapping[str, int]:
        """Count."""
        self.heights.append(height)
        self.began.set()
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return {"counted": 1}

    async def until(self, runs: int) -> None:
        """Wait for so many runs."""
        async with asyncio.timeout(10):
            while len(self.heights) < runs:
                self.began.clear()
                await self.began.wait()


@dataclass
class Votes(Election):
    """An election that is decided by hand."""

    leading: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def leads(self) -> bool:
        """Whether it leads."""
        return self.leading

    async def decide(self, *, leads: bool) -> None:
        """Decide."""
        async with self.changed:
            self.leading = leads
            self.changed.notify_all()

    async def wait_until(self, *, leads: bool) -> None:
        """Wait for a decision."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.leading == leads)

    async def run(self) -> None:
        """Campaign."""
        await asyncio.Event().wait()


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar whose control is quick."""
    async with working(tmp_path, workers={"control_s": 0.01}) as opened:
        yield opened


@asynccontextmanager
async def ticking(sidecar: Working, worker: Counting, every: int = 10) -> AsyncIterator[Clock]:
    """Run a clock with one worker."""
    parts = sidecar.parts
    clock = Clock(parts.desk, parts.watch, LocalTasks(), {worker: every})
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(clock.run()), group.create_task(parts.watch.run())]
        yield clock
        for task in tasks:
            task.cancel()


async def reach(sidecar: Working, height: int) -> None:
    """Mine up to a height and wait until it is taken in."""
    mine(sidecar.world, height - (await sidecar.world.chain.finalized_head()).number)
    async with asyncio.timeout(10):
        while await sidecar.parts.desk.block_log.cursor() != height:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.005)


async def test_a_job_that_runs_long_never_piles_up(sidecar: Working) -> None:
    """While one runs, whatever comes due is one more run."""
    worker = Counting()
    worker.gate.clear()
    async with ticking(sidecar, worker):
        await reach(sidecar, 9)
        await reach(sidecar, 10)
        await worker.until(1)
        for height in (20, 30, 40):
            await reach(sidecar, height)
        await asyncio.sleep(0.02)
        assert 1 == len(worker.heights)
        worker.gate.set()
        await worker.until(2)
        await asyncio.sleep(0.02)
    assert 2 == len(worker.heights)


async def test_what_a_job_was_done_for_is_kept(sidecar: Working) -> None:
    """A restart goes on from there: no run is repeated, and one that was missed is made up for."""
    worker = Counting()
    async with ticking(sidecar, worker):
        await reach(sidecar, 9)
        await reach(sidecar, 10)
        await worker.until(1)
        await asyncio.sleep(0.02)
    assert {"integrity": 10} == await sidecar.parts.desk.block_log.done_heights()
    async with ticking(sidecar, worker):
        await reach(sidecar, 12)
        await asyncio.sleep(0.02)
        assert 1 == len(worker.heights)
    mine(sidecar.world, 33)
    async with ticking(sidecar, worker):
        await worker.until(2)
        await asyncio.sleep(0.02)
    assert 2 == len(worker.heights)


async def test_a_job_that_fails_comes_again(sidecar: Working) -> None:
    """At the next block, not at the next interval; it does not count as done."""
    worker = Counting()
    worker.fault = StorageUnreachable()
    async with ticking(sidecar, worker):
        await reach(sidecar, 9)
        await reach(sidecar, 10)
        await worker.until(1)
        await asyncio.sleep(0.02)
        worker.fault = None
        await reach(sidecar, 11)
        await worker.until(2)
        await asyncio.sleep(0.02)
        await sidecar.parts.watch.tell(at_once=True)
    state = (await sidecar.parts.desk.controls.workers())["integrity"]
    assert (2, 1, None, {"counted": 1}) == (state.runs, state.failures, state.reason, state.items)


async def test_a_paused_job_runs_when_asked(sidecar: Working) -> None:
    """Paused, it lets its interval pass; a single run that is asked for is done and answered."""
    controls, worker = sidecar.parts.desk.controls, Counting()
    await controls.pause("integrity", by="command line", now=sidecar.time())
    await sidecar.parts.watch.look()
    async with ticking(sidecar, worker):
        await reach(sidecar, 9)
        await reach(sidecar, 11)
        await asyncio.sleep(0.03)
        assert [] == worker.heights
        number = await controls.ask("integrity")
        await worker.until(1)
        async with asyncio.timeout(10):
            while (await controls.workers())["integrity"].answered < number:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.03)
    assert 1 == len(worker.heights)


async def test_only_the_leader_works_and_stops_when_it_leads_no_more(sidecar: Working) -> None:
    """A lost election ends what runs at once; a won one begins it again."""
    votes, begun, ended = Votes(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    leading = Leading(votes, workers=[], endless=[work], stop=sidecar.stop)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(leading.run())
        await asyncio.sleep(0.02)
        assert not begun.is_set()
        for _ in range(2):
            await votes.decide(leads=True)
            await begun.wait()
            await votes.decide(leads=False)
            await ended.wait()
            begun.clear()
            ended.clear()
        sidecar.stop.set()


async def test_what_workers_need_to_their_end_ends_last(sidecar: Working) -> None:
    """At a stop a step is finished by what lasts; when the election is lost, both end at once."""
    for lost in (False, True):
        votes, told, stop = Votes(leading=True), list[str](), asyncio.Event()
        asked, answered = asyncio.Event(), asyncio.Event()
        step = Asking(sidecar.rig.bench, told, asked, answered)
        worker = Worker(
            name="expiry",
            step=step,
            bells=sidecar.rig.bench.bells,
            tick_s=0.01,
            stop=stop,
            watch=sidecar.parts.watch,
            now=sidecar.time,
        )

        async def last(told: list[str] = told) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                told.append("what lasts ends")

        leading = Leading(votes, workers=[worker], endless=[], lasting=[last], stop=stop)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(leading.run())
            await asked.wait()
            if lost:
                await votes.decide(leads=False)
            else:
                stop.set()
            await asyncio.sleep(0.02)
            told.append("answer")
            answered.set()
            stop.set()
        expected = (
            ["what lasts ends", "answer"] if lost else ["answer", "the step is finished", "what lasts ends"]
        )
        assert expected == told


class Asking(Step):
    """Waits for an answer, as who submits does."""

    bell = Bell.BLOCK

    def __init__(self, bench: Bench, told: list[str], asked: asyncio.Event, answered: asyncio.Event) -> None:
        super().__init__(bench)
        self._told, self._asked, self._answered = told, asked, answered

    async def run_once(self) -> int:
        """Ask once."""
        self._asked.set()
        await self._answered.wait()
        self._told.append("the step is finished")
        return 0


async def test_workers_share_batches(sidecar: Working) -> None:
    """Calls that two workers make at the same moment go out together, and are counted."""
    submitter = sidecar.parts.desk.bench.ports.submitter
    wanted = [calls.register_patient(ORGANISATION, bytes([number]) * 32, None) for number in range(100, 105)]
    async with asyncio.TaskGroup() as group:
        one = group.create_task(submitter.submit(wanted[0]))
        many = group.create_task(submitter.submit_many(wanted[1:]))
    assert {one.result().block} == {
        result.block for result in many.result() if not isinstance(result, Exception)
    }
    registry = sidecar.parts.desk.metrics.registry
    counted = {
        name: registry.get_sample_value(f"caregrid_chain_{name}")
        for name in ("batches_total", "calls_total", "calls_waiting", "batches_under_way")
    }
    expected = {"batches_total": 1.0, "calls_total": 5.0, "calls_waiting": 0.0, "batches_under_way": 0.0}
    assert expected == counted


async def test_wall_jobs_count_from_their_last_success(sidecar: Working) -> None:
    """A sidecar that is restarted often still comes to a rare job, and does not run it at each start."""
    job = Counting()
    now = datetime.now(UTC)
    last = Run(worker=job.name, started_at=now, ended_at=now - timedelta(hours=2))
    for every_s, expected in ((3 * 3600.0, 0), (3600.0, 1)):
        await sidecar.parts.desk.controls.note_run(last)
        async with asyncio.TaskGroup() as group:
            wall = WallClock(sidecar.parts.desk, sidecar.parts.watch, {job: every_s})
            task = group.create_task(wall.run())
            await asyncio.sleep(0.1)
            wall.realign()
            task.cancel()
        assert expected == len(job.heights)


async def test_a_success_in_the_future_stops_no_wall_job(sidecar: Working) -> None:
    """It was noted before the wall clock was set back."""
    job = Counting()
    later = datetime.now(UTC) + timedelta(days=2)
    await sidecar.parts.desk.controls.note_run(Run(worker=job.name, started_at=later, ended_at=later))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(WallClock(sidecar.parts.desk, sidecar.parts.watch, {job: 3600.0}).run())
        await job.until(1)
        task.cancel()


@asynccontextmanager
async def daemon(sidecar: Working) -> AsyncIterator[None]:
    """Run the whole daemon on a rig."""
    async with asyncio.TaskGroup() as group:
        group.create_task(Daemon(sidecar.parts, sidecar.rig.database).run())
        await asyncio.sleep(0.1)
        yield
        sidecar.stop.set()


async def kinds(sidecar: Working) -> set[str]:
    """Return what the queue holds."""
    return {tally.kind for tally in await sidecar.rig.bench.queue.tallies()}


async def test_control_from_another_process(tmp_path: Path) -> None:
    """While a sidecar runs, a single run, a pause and the status go through the database."""
    async with working(tmp_path, time=RealTime(), workers={"control_s": 0.02}, port=0) as sidecar:
        settings = sidecar.rig.bench.settings
        with locked(settings.home):
            async with daemon(sidecar):
                done = await operating.run_once(settings, "storage-health", timeout_s=20)
                assert (True, None) == (done.by_daemon, done.reason)
                assert 0 == done.items["looked"]
                await operating.pause(settings, "validation")
                told = await operating.status(settings)
                assert (True, True) == (told["running"], told["processes"][0]["leads"])
                assert list(WORKERS) == [each["worker"] for each in told["workers"]]
                assert ["validation"] == [each["worker"] for each in told["workers"] if each["paused"]]
                await asyncio.sleep(0.1)
                await sidecar.submit(b"one")
                await asyncio.sleep(0.2)
                assert "record" not in await kinds(sidecar)
                await operating.resume(settings, "validation")
                async with asyncio.timeout(10):
                    while "record" not in await kinds(sidecar):  # noqa: ASYNC110 - likewise
                        await asyncio.sleep(0.02)
        assert not (await operating.status(settings))["running"]


async def test_a_single_run_without_a_daemon(tmp_path: Path) -> None:
    """When no sidecar runs, the run is done here, after taking in the blocks that came meanwhile."""
    async with working(tmp_path) as sidecar:
        await sidecar.store(b"one")
        settings, ports = sidecar.rig.bench.settings, sidecar.rig.bench.ports
    for worker in WORKERS:
        done = await operating.run_once(settings, worker, timeout_s=20, ports=ports)
        assert (False, None) == (done.by_daemon, done.reason), worker
    states = {each["worker"]: each for each in (await operating.status(settings))["workers"]}
    assert all(1 == states[worker]["runs"] for worker in WORKERS)


async def test_unknown_workers_are_refused(tmp_path: Path) -> None:
    """The message lists those that there are."""
    async with working(tmp_path) as sidecar:
        settings = sidecar.rig.bench.settings
    for refused in (operating.pause, operating.resume):
        with pytest.raises(WorkerUnknown, match="key-delivery"):
            await refused(settings, "no such")
    with pytest.raises(WorkerUnknown):
        await operating.run_once(settings, "no such", timeout_s=1)


async def test_a_sidecar_that_does_not_answer(tmp_path: Path) -> None:
    """Whoever asked learns it in time."""
    async with working(tmp_path) as sidecar:
        settings = sidecar.rig.bench.settings
        with locked(settings.home), pytest.raises(SidecarUnreachable, match="within"):
            await operating.run_once(settings, "expiry", timeout_s=0.3)
        with locked(settings.home), pytest.raises(ConfigInvalid, match="another sidecar"):
            await operating.rebuild(settings)


async def test_a_rebuilt_ledger_is_the_same(tmp_path: Path) -> None:
    """From the chain's state instead of its events: objects, records, and grants with their keys' state."""
    async with working(tmp_path) as sidecar:
        [record] = await sidecar.store(b"one")
        await sidecar.publish_key()
        await sidecar.grant(RecordScope(record_id=record))
        await sidecar.follow()
        ledger, settings = sidecar.parts.desk.ledger, sidecar.rig.bench.settings
        before = (
            await ledger.pending(now=sidecar.time(), limit=10),
            [each.object_id for each in await ledger.longest_unlooked(10)],
            await ledger.records_of_patient(b"\x03" * 32, 10),
        )
        await operating.rebuild(settings)
        assert [] == await ledger.pending(now=sidecar.time(), limit=10)
        ports = sidecar.rig.bench.ports
        await operating.run_once(settings, "packing", timeout_s=20, ports=ports)
        after = (
            await ledger.pending(now=sidecar.time(), limit=10),
            [each.object_id for each in await ledger.longest_unlooked(10)],
            await ledger.records_of_patient(b"\x03" * 32, 10),
        )
        assert before == after
        assert 1 == len(before[0])
        assert 1 == len(before[1])


async def test_doctor_says_what_to_do(tmp_path: Path) -> None:
    """A sidecar that does not run, tokens that are missing, and a clock that is wrong are found."""
    async with working(tmp_path) as sidecar:
        await sidecar.follow()
        settings, ports, chain = sidecar.rig.bench.settings, sidecar.rig.bench.ports, sidecar.world.chain
        found = {each.check: each for each in await doctor_sidecar.look(settings, ports)}
        assert {"balance", "sidecar"} == {name for name, each in found.items() if not each.ok}
        assert "caregrid sidecar run" in found["sidecar"].detail
        assert "0 blocks behind" == found["clock"].detail
        chain.endow(ports.submitter.account, 10**12)
        chain.time = datetime.now(UTC) - timedelta(minutes=5)
        mine(sidecar.world, 400)
        found = {each.check: each for each in await doctor_sidecar.look(settings, ports)}
        assert {"sidecar", "wall clock", "clock"} == {name for name, each in found.items() if not each.ok}
        assert "+300 s" in found["wall clock"].detail
        assert "400 blocks behind" in found["clock"].detail
