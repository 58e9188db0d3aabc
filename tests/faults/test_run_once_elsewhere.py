"""A single run that is asked for on one machine while the sidecar of another one leads."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import StorageUnreachable
from caregrid.records import RecordFormat
from caregrid.storage import MemoryObjectStore
from ocw_sidecar import operating, supervisor
from ocw_sidecar.pipeline.intake import Offer
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, PATIENT, World, memory_world, rig
from tests.databases import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from caregrid.storage import ObjectStat
    from tests.postgres_server import PostgresServer

TIMEOUT_S = 30.0


class Shaky(MemoryObjectStore):
    """Storage that can be away."""

    away = False

    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Look, if it is there."""
        if self.away:
            raise StorageUnreachable
        return await super().stat(object_id)


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database that the machines share."""
    name = postgres_server.create_database(template=TEMPLATE)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def machine(folder: Path, url: str) -> Settings:
    """Return the settings of one machine: a home folder of its own, the same database."""
    return Settings.load(
        home=folder,
        organisation=ORGANISATION,
        port=0,
        ready_file=folder.with_suffix(".ready"),
        pack_age_limit_s=0.0,
        min_free_disk=0,
        database={"url": url},
        workers={"control_s": 0.1},
    )


@asynccontextmanager
async def leading(settings: Settings, world: World) -> AsyncIterator[None]:
    """Run a sidecar until it leads and serves, for the length of the block."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run(settings, ports=world.ports, stop=stop))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not await leads(settings):  # noqa: ASYNC110 - the database tells nobody
                    await asyncio.sleep(0.05)
            yield
        finally:
            stop.set()


async def leads(settings: Settings) -> bool:
    """Tell whether a process leads that has begun to follow the chain."""
    told = await operating.status(settings)
    return told["clock"] is not None and any(each["leads"] for each in told["processes"])


async def stored(settings: Settings) -> World:
    """Return a world in which one record is anchored."""
    world, store = await memory_world(), Shaky()
    world = replace(world, store=store, ports=replace(world.ports, store=store))
    offer = Offer(patient_id=PATIENT, format=RecordFormat.BINARY, announced=None, idempotency=None)

    async def content() -> AsyncIterator[bytes]:
        yield b"opaque"

    async with rig(settings, world) as sidecar:
        await sidecar.intake.take(offer, content())
        await sidecar.drain()
    return world


async def test_the_leader_does_it_and_the_result_comes_back(tmp_path: Path, url: str) -> None:
    """Of each kind of worker; a failure's code comes back, too, and a pause holds up nobody who asks."""
    here, there = machine(tmp_path / "here", url), machine(tmp_path / "there", url)
    world = await stored(there)
    async with leading(there, world):
        health = await operating.run_once(here, "storage-health", timeout_s=TIMEOUT_S, ports=world.ports)
        assert (True, None, 1) == (health.by_daemon, health.reason, health.items["looked"])
        await operating.pause(here, "purge")
        purge = await operating.run_once(here, "purge", timeout_s=TIMEOUT_S, ports=world.ports)
        assert (True, None, {"purged": 0}) == (purge.by_daemon, purge.reason, purge.items)
        for worker in ("validation", "anchoring", "expiry"):
            done = await operating.run_once(here, worker, timeout_s=TIMEOUT_S, ports=world.ports)
            assert (True, None, {"items": 0}) == (done.by_daemon, done.reason, done.items), worker
        assert isinstance(world.store, Shaky)
        world.store.away = True
        failed = await operating.run_once(here, "storage-health", timeout_s=TIMEOUT_S, ports=world.ports)
        assert (True, StorageUnreachable.code) == (failed.by_daemon, failed.reason)


async def test_without_a_leader_it_is_done_here(tmp_path: Path, url: str) -> None:
    """The other machine's sidecar has stopped: this one wins the election for the length of the run."""
    here, there = machine(tmp_path / "here", url), machine(tmp_path / "there", url)
    world = await stored(there)
    async with leading(there, world):
        pass
    done = await operating.run_once(here, "storage-health", timeout_s=TIMEOUT_S, ports=world.ports)
    assert (False, None, 1) == (done.by_daemon, done.reason, done.items["looked"])
    async with leading(there, world):
        again = await operating.run_once(here, "storage-health", timeout_s=TIMEOUT_S, ports=world.ports)
        assert again.by_daemon
