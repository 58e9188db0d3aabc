"""The daemon: its API, its workers, and how it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from ocw_sidecar.adapters.sql.callers import SqlCallers
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.adapters.sql.search import SqlSearch
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.api import Api, build_app, feed, preferences
from ocw_sidecar.background.audit_log import AuditLog
from ocw_sidecar.listening import listening, ready_file
from ocw_sidecar.pipeline.intake import Intake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.api.routes import Route
    from ocw_sidecar.composition import Sidecar

log = structlog.get_logger()


class Daemon:
    """One sidecar process."""

    def __init__(self, parts: Sidecar, database: Database) -> None:
        self._parts, self._database = parts, database
        self._bench, self._stop = parts.desk.bench, parts.stop
        self._intake = Intake(self._bench)

    async def run(self) -> None:
        """Serve and work until `stop`, then drain.

        Raises:
            PortTaken, ConfigInvalid: the API cannot listen.
            Exception: a worker died; what it was.
        """
        settings = self._bench.settings
        app = build_app(self.api())
        async with listening(app, settings) as url:
            with ready_file(settings.ready_file, url):
                log.info("started", url=url)
                await self._work()

    def api(self) -> Api:
        """Return what the API works with."""
        database = self._database
        return Api(
            bench=self._bench,
            intake=self._intake,
            callers=SqlCallers(database),
            patients=SqlPatients(database),
            search=SqlSearch(database),
            eraser=self._parts.desk.eraser,
            compaction=self._parts.desk.compaction,
            threats=SqlThreatTables(database, self._bench.settings.organisation),
            audit=AuditLog(self._bench.settings.logs_path, now=self._bench.ports.now),
            metrics=self._parts.desk.metrics,
            ledger=self._parts.desk.ledger,
            outbox=self._parts.outbox,
            notices=self._parts.desk.notices,
            more=self._notification_routes(),
        )

    def _notification_routes(self) -> list[Route]:
        parts = self._parts
        feeds = feed.Feed(
            parts.desk.notices,
            self._bench.bells,
            organisation=self._bench.settings.organisation,
            limit=self._bench.settings.notifications.feed_limit,
            closed=self._stop.is_set,
        )
        handlers = preferences.PreferenceHandlers(self._bench, parts.preferences, parts.outbox)
        return [*feed.routes(feeds), *preferences.routes(handlers)]

    async def _work(self) -> None:
        crew = self._parts.crew
        try:
            # Read before anybody begins: a worker that was paused stays so over a restart.
            await self._parts.watch.look()
            async with asyncio.TaskGroup() as group:
                start = group.create_task
                # What the workers need to the very end, the election among it: who still submits must lead.
                lasting = [
                    start(self._parts.election.run(), name="election"),
                    start(self._parts.watch.run(), name="control"),
                    start(crew.jumps.run(), name="clock-jumps"),
                    start(self._bench.leases.run(), name="leases"),
                ]
                working = [start(worker.run(), name=worker.name) for worker in crew.workers()]
                leading = crew.leading(self._parts.election, [self._parts.batches.run])
                working.append(start(leading.run(), name="leading"))
                start(self._drain(working, lasting), name="drain")
        except BaseExceptionGroup as died:
            raise first(died) from died
        finally:
            self._intake.close()

    async def _drain(
        self, working: Sequence[asyncio.Task[None]], lasting: Sequence[asyncio.Task[None]]
    ) -> None:
        await self._stop.wait()
        log.info("stopping")
        self._intake.close()
        self._bench.bells.ring_all()
        _, late = await asyncio.wait(working, timeout=self._bench.settings.drain_s)
        for task in late:
            task.cancel()
        if late:
            log.warning("stopped_late", workers=sorted(task.get_name() for task in late))
            await asyncio.wait(late)
        await self._parts.watch.end()
        for task in lasting:
            task.cancel()


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what went wrong first in a group of tasks, and brought the others down."""
    fault = group.exceptions[0]
    return first(fault) if isinstance(fault, BaseExceptionGroup) else fault
