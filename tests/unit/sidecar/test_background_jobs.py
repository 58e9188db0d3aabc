"""When a sidecar runs the background tasks: by intervals, by a crontab in the database, and by a bell."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from caregrid.chain.port import BlockReason
from caregrid.threats import parse_network
from ocw_sidecar.adapters.alone import AlwaysLeads, LocalTasks
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.background.items import NewBlock
from ocw_sidecar.composition import compose
from ocw_sidecar.operating import meanwhile
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.ports import PeriodicTasks, utc_now
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, rig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.composition import Sidecar

PATIENCE_S = 20
NET = parse_network("192.0.2.0/24")


class Crontab(LocalTasks, PeriodicTasks):
    """A runner that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, tuple[str, Callable[[int], Awaitable[object]]]] = {}

    def register_periodic(self, name: str, cron: str, function: Callable[[int], Awaitable[object]]) -> None:
        """Keep it."""
        self.told[name] = (cron, function)


async def want(database: Database) -> None:
    """Have a network blocked."""
    end = utc_now() + timedelta(hours=1)
    wanted = NewBlock(net=NET, reason=BlockReason.SCANNING, expires_at=end)
    await SqlThreatTables(database, ORGANISATION).block([wanted], now=utc_now())


async def sync_runs(parts: Sidecar) -> int:
    """Return how often the synchronisation has run."""
    await parts.watch.tell(at_once=True)
    state = (await parts.desk.controls.workers()).get("sync")
    return 0 if state is None else state.runs


async def test_a_crontab_in_the_database_takes_the_place_of_intervals(tmp_path: Path) -> None:
    """The runner of tasks is given both jobs; what it runs is taken down, and a pause is heeded."""
    periodic = Settings.load(
        home=tmp_path,
        organisation=ORGANISATION,
        database={"url": "postgresql:///caregrid"},
        background={"schedule": "periodic", "sync_cron": "*/5 * * * *"},
    )
    crontab, stop = Crontab(), asyncio.Event()
    async with rig(Settings.load(home=tmp_path, organisation=ORGANISATION, min_free_disk=0)) as opened:
        bench = replace(opened.bench, settings=periodic)
        parts = compose(bench, opened.database, election=AlwaysLeads(), tasks=crontab, stop=stop)
        assert {"cleanup": "0 * * * *", "sync": "*/5 * * * *"} == {
            name: cron for name, (cron, _) in crontab.told.items()
        }
        assert {"purge"} == {job.name for job, every in parts.crew.wall_jobs.items() if every is not None}
        await want(opened.database)
        async with meanwhile(parts.batches.run), asyncio.timeout(PATIENCE_S):
            await crontab.told["sync"][1](0)
            assert await opened.world.chain.ip_block(NET, ORGANISATION) is not None
            assert 1 == await sync_runs(parts)
            await parts.desk.controls.pause("sync", by="operator", now=utc_now())
            await parts.watch.look()
            await crontab.told["sync"][1](300)
            assert 1 == await sync_runs(parts)
        await parts.close()


async def test_a_bell_has_the_job_run_at_once(tmp_path: Path) -> None:
    """What an application wants shared does not wait for the interval."""
    settings = Settings.load(home=tmp_path, organisation=ORGANISATION, min_free_disk=0)
    stop = asyncio.Event()
    async with rig(settings) as opened:
        parts = compose(opened.bench, opened.database, election=AlwaysLeads(), tasks=LocalTasks(), stop=stop)
        async with (
            meanwhile(parts.batches.run),
            meanwhile(parts.crew.wall_clock.run),
            asyncio.timeout(PATIENCE_S),
        ):
            while not await sync_runs(parts):  # noqa: ASYNC110 - the first one is due at once
                await asyncio.sleep(0.05)
            await want(opened.database)
            opened.bench.bells.ring_all()  # as for a change of any worker, and at the end: no reason to begin
            await asyncio.sleep(0.3)
            assert 1 == await sync_runs(parts)
            assert await opened.world.chain.ip_block(NET, ORGANISATION) is None
            opened.bench.bells.ring(Bell.SHARE)
            while await opened.world.chain.ip_block(NET, ORGANISATION) is None:  # noqa: ASYNC110 - the chain is polled
                await asyncio.sleep(0.05)
        await parts.close()
