"""Tasks in PostgreSQL outlive the process that ran them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from procrastinate import exceptions

from caregrid.errors import DatabaseUnreachable
from ocw_sidecar.adapters.postgres import Access
from ocw_sidecar.adapters.postgres.tasks import PostgresTasks
from tests.databases import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres_server import PostgresServer

PATIENCE_S = 60


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that these tests may restart."""
    with running_server() as made:
        yield made


class Runs:
    """A task that notes its runs."""

    def __init__(self) -> None:
        self.heights: list[int] = []
        self.more = asyncio.Semaphore(0)

    async def __call__(self, height: int) -> None:
        """Run."""
        self.heights.append(height)
        self.more.release()


@pytest.mark.parametrize(("waiting", "expected"), [((), [1]), ((2,), [2])])
async def test_task_of_a_dead_process_runs_elsewhere(
    server: PostgresServer, waiting: tuple[int, ...], expected: list[int]
) -> None:
    """A run that was cut short is done again, unless one more waits anyway, which then does for both."""
    name = await asyncio.to_thread(server.create_database)
    runs = Runs()
    async with PostgresTasks.open(Access(server.url(name))) as tasks:
        tasks.register("expiry", runs)
        await tasks.defer("expiry", height=1)
        died = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL"
        await asyncio.to_thread(server.run, died, name)
        for height in waiting:
            assert await tasks.defer("expiry", height=height)
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            running = group.create_task(tasks.run())
            await runs.more.acquire()
            await asyncio.sleep(0.2)
            running.cancel()
    assert expected == runs.heights


async def test_tasks_go_on_after_a_restart_of_the_server(server: PostgresServer) -> None:
    """While the server is away nothing can be deferred; afterwards everything runs as before."""
    name = await asyncio.to_thread(server.create_database)
    runs = Runs()
    async with PostgresTasks.open(Access(server.url(name))) as tasks:
        tasks.register("expiry", runs)
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            running = group.create_task(tasks.run())
            await tasks.defer("expiry", height=1)
            await runs.more.acquire()
            await asyncio.to_thread(server.stop)
            with pytest.raises(DatabaseUnreachable):
                await tasks.defer("expiry", height=2)
            await asyncio.to_thread(server.start)
            while True:
                try:
                    await tasks.defer("expiry", height=3)
                except DatabaseUnreachable:
                    await asyncio.sleep(0.1)
                else:
                    break
            await runs.more.acquire()
            running.cancel()
    assert [1, 3] == runs.heights


async def test_a_run_that_is_cancelled_while_the_server_dies_ends(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the library raises in place of the cancellation does not bring the runner back to life."""
    name = await asyncio.to_thread(server.create_database)
    async with PostgresTasks.open(Access(server.url(name))) as tasks:
        begun = asyncio.Event()

        async def die_of_the_database(**_: object) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise exceptions.ConnectorException from None

        monkeypatch.setattr(tasks._app, "run_worker_async", die_of_the_database)
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            running = group.create_task(tasks.run())
            await begun.wait()
            running.cancel()
    assert running.cancelled()
