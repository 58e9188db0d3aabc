"""Tasks through procrastinate, so that any process of several can run them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import procrastinate
import psycopg
import psycopg_pool
import structlog
from procrastinate import exceptions

from caregrid.errors import DatabaseUnreachable
from ocw_sidecar.adapters.postgres.connection import errors_named
from ocw_sidecar.ports import PeriodicTasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from procrastinate.jobs import Job

    from ocw_sidecar.adapters.postgres.connection import Access

#: A process that runs tasks says so this often; its tasks are free for others after so long a silence.
HEARTBEAT_S: Final = 5.0
STALLED_AFTER_S: Final = 20.0

#: How often somebody looks for tasks of the dead.
RESCUE_S: Final = 10.0

#: A notification wakes a waiting process at once; this is for one that got lost.
POLL_S: Final = 0.5

#: Between attempts while the database does not answer.
RECONNECT_S: Final = 1.0

#: Waiting for a free connection of the pool.
POOL_TIMEOUT_S: Final = 10.0

#: Writing one row down, with the wait for a connection.
DEFER_TIMEOUT_S: Final = 15.0

#: What runs at the end of the process gets this long; its outcome is then noted.
STOP_TIMEOUT_S: Final = 5.0

#: Names are few, and each runs once at a time.
CONCURRENCY: Final = 16

_SCHEMA_LOCK: Final = 0x6361_7265_7461_736B

log = structlog.get_logger()


class PostgresTasks(PeriodicTasks):
    """Tasks in the database; what waits outlives the process. Open it with :meth:`open`."""

    def __init__(self, app: procrastinate.App) -> None:
        self._app = app
        self._tasks: dict[str, Any] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, access: Access) -> AsyncIterator[Self]:
        """Create what procrastinate needs, and connect.

        Raises:
            ConfigInvalid, DatabaseUnreachable: the database is not to be had.
        """
        await asyncio.to_thread(_create_schema, access)
        connector = procrastinate.PsycopgConnector(
            kwargs=access.parameters(), min_size=1, max_size=4, timeout=POOL_TIMEOUT_S
        )
        async with procrastinate.App(connector=connector).open_async() as app:
            yield cls(app)

    def register(self, name: str, function: Callable[[int], Awaitable[object]]) -> None:
        """Say what a name runs; see `TaskRunner.register`."""

        async def run(height: int) -> None:
            await function(height)

        self._tasks[name] = self._task(name, run)

    def register_periodic(self, name: str, cron: str, function: Callable[[int], Awaitable[object]]) -> None:
        """Have a name run by itself; see `PeriodicTasks.register_periodic`."""

        async def run(timestamp: int) -> None:
            await function(timestamp)

        self._app.periodic(cron=cron)(self._task(name, run))

    def _task(self, name: str, run: Callable[[int], Awaitable[None]]) -> Any:
        return self._app.task(name=name, lock=name, queueing_lock=name, retry=False)(run)

    async def defer(self, name: str, *, height: int) -> bool:
        """Have a function run; see `TaskRunner.defer`."""
        try:
            async with asyncio.timeout(DEFER_TIMEOUT_S):
                await self._tasks[name].defer_async(height=height)
        except exceptions.AlreadyEnqueued:
            return False
        except (exceptions.ConnectorException, psycopg_pool.PoolTimeout, TimeoutError) as exc:
            raise DatabaseUnreachable from exc
        return True

    async def run(self) -> None:
        """Run what is deferred, here or elsewhere; see `TaskRunner.run`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve(), name="tasks")
            group.create_task(self._rescue_all(), name="tasks-rescue")

    async def _serve(self) -> None:
        while True:
            try:
                await self._app.run_worker_async(
                    install_signal_handlers=False,
                    delete_jobs="always",
                    concurrency=CONCURRENCY,
                    fetch_job_polling_interval=POLL_S,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=STALLED_AFTER_S,
                    shutdown_graceful_timeout=STOP_TIMEOUT_S,
                )
            except _LOST as exc:
                log.warning("tasks_interrupted", fault=type(exc).__name__)
                _require_wanted()
            await asyncio.sleep(RECONNECT_S)

    async def _rescue_all(self) -> None:
        while True:
            try:
                for job in await self._app.job_manager.get_stalled_jobs(
                    seconds_since_heartbeat=STALLED_AFTER_S
                ):
                    await self._rescue(job)
            except _LOST as exc:
                log.warning("tasks_interrupted", fault=type(exc).__name__)
            await asyncio.sleep(RESCUE_S)

    async def _rescue(self, job: Job) -> None:
        assert job.id is not None  # noqa: S101  what comes from the database has one
        log.warning("task_rescued", task=job.task_name)
        try:
            await self._app.job_manager.retry_job(job)
        except exceptions.UniqueViolation:
            # One more of the name waits already, and runs in its place.
            await self._app.job_manager.finish_job_by_id_async(
                job_id=job.id, status=procrastinate.jobs.Status.FAILED, delete_job=True
            )


def _require_wanted() -> None:
    """End here when this task was cancelled: what is stopped may die of the lost database instead."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


_LOST: Final = (exceptions.ConnectorException, psycopg.OperationalError, psycopg_pool.PoolTimeout)


def _create_schema(access: Access) -> None:
    with errors_named(), psycopg.connect(**access.parameters()) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
        found = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
        if found == (None,):
            script = procrastinate.schema.SchemaManager.get_schema()
            connection.execute(script, prepare=False)
