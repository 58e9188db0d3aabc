"""What every runner of tasks must do: in this process, and through a database."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.adapters.alone import LocalTasks
from ocw_sidecar.adapters.postgres import Access
from ocw_sidecar.adapters.postgres.tasks import PostgresTasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.ports import TaskRunner
    from tests.postgres_server import PostgresServer

PATIENCE_S = 20


@pytest.fixture(params=["local", "postgres"])
async def runner(request: pytest.FixtureRequest) -> AsyncIterator[TaskRunner]:
    """Each kind of runner, without tasks."""
    if request.param == "local":
        yield LocalTasks()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = await asyncio.to_thread(server.create_database)
    async with PostgresTasks.open(Access(server.url(name))) as opened:
        yield opened
    await asyncio.to_thread(server.drop_database, name)


class Gate:
    """A task that says when it runs, and waits until it may go on."""

    def __init__(self) -> None:
        self.heights: list[int] = []
        self.running = 0
        self.most = 0
        self.entered, self.open = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def __call__(self, height: int) -> None:
        """Run once."""
        self.heights.append(height)
        self.running += 1
        self.most = max(self.most, self.running)
        self.entered.release()
        await self.open.acquire()
        self.running -= 1


@asynccontextmanager
async def running(runner: TaskRunner) -> AsyncIterator[None]:
    """Have it run for the length of the block."""
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        task = group.create_task(runner.run())
        try:
            yield
        finally:
            task.cancel()


async def test_deferred_task_runs_with_its_height(runner: TaskRunner) -> None:
    """What was deferred before the runner ran and while it runs is done, each with its height."""
    gate = Gate()
    runner.register("expiry", gate)
    assert await runner.defer("expiry", height=7)
    async with running(runner):
        await gate.entered.acquire()
        gate.open.release()
        assert await runner.defer("expiry", height=8)
        await gate.entered.acquire()
        gate.open.release()
    assert [7, 8] == gate.heights


async def test_one_runs_and_one_waits(runner: TaskRunner) -> None:
    """A task that runs long does not pile up: whatever comes due meanwhile is one more run."""
    gate = Gate()
    runner.register("integrity", gate)
    async with running(runner):
        await runner.defer("integrity", height=1)
        await gate.entered.acquire()
        assert [True, False, False] == [
            await runner.defer("integrity", height=height) for height in (2, 3, 4)
        ]
        assert [1] == gate.heights
        gate.open.release()
        await gate.entered.acquire()
        gate.open.release()
        await asyncio.sleep(0.1)
    assert [1, 2] == gate.heights
    assert 1 == gate.most


async def test_names_do_not_wait_for_each_other(runner: TaskRunner) -> None:
    """A task that hangs holds up only its own name."""
    hangs, works = Gate(), Gate()
    runner.register("storage_health", hangs)
    runner.register("key_delivery", works)
    async with running(runner):
        await runner.defer("storage_health", height=1)
        await hangs.entered.acquire()
        await runner.defer("key_delivery", height=1)
        await works.entered.acquire()
        works.open.release()
        hangs.open.release()
    assert [1] == works.heights


async def test_failing_task_stops_nothing(runner: TaskRunner) -> None:
    """A task that raises is over; it can be deferred again, and the others go on."""
    runs = asyncio.Semaphore(0)

    async def fails(_: int) -> None:
        runs.release()
        raise ZeroDivisionError

    runner.register("expiry", fails)
    async with running(runner):
        await runner.defer("expiry", height=1)
        await runs.acquire()
        await runner.defer("expiry", height=2)
        await runs.acquire()


async def test_periodic_task_runs_once_in_a_period_over_all_processes(
    postgres_server: PostgresServer,
) -> None:
    """Two processes know the same times; each time is one run, by one of them."""
    name = await asyncio.to_thread(postgres_server.create_database)
    access = Access(postgres_server.url(name))
    runs: list[int] = []

    async def note(time: int) -> None:
        runs.append(time)

    async with PostgresTasks.open(access) as one, PostgresTasks.open(access) as other:
        for each in (one, other):
            each.register_periodic("sync", "* * * * * *", note)  # the sixth: each second
        async with running(one), running(other):
            await asyncio.sleep(5)
        before = list(runs)
    async with PostgresTasks.open(access) as late:
        late.register_periodic("sync", "* * * * * *", note)
        async with running(late):
            await asyncio.sleep(2)
    assert len(before) >= 3
    assert len(runs) > len(before)
    assert len(runs) == len(set(runs))
    await asyncio.to_thread(postgres_server.drop_database, name)
