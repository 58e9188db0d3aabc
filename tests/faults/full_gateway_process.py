"""A gateway's job on a disk that is full from its Nth write on, for all N: `python -m` this with a folder.

Runs with the library of full_disk.c loaded before all others, and prints how many N there were. The gateway
is the real one, its nodes are, too, in this process and on a disk that has room.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sqlite3
import sys
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from caregrid.storage import file_id_of
from caregrid.storage.file_id import FRAGMENT_SIZE
from storage_network import process
from storage_network.gateway import GatewaySettings, collector, make_app
from storage_network.gateway.settings import NodeAddress
from storage_network.node.app import make_app as make_node_app
from storage_network.node.fragments import FragmentStore
from tests.faults.storage_world import PATIENCE_S, identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

TOKEN = "t" * 64
NODES = 12
#: Small enough that a fragment is mostly a hole.
SIZE = 3_000
WHOLE, PARTS = os.urandom(SIZE), os.urandom(SIZE)
#: What the gateway may say while its disk is full.
ANSWERS = {200, 308, 507}

library = ctypes.CDLL(None)
library.full_disk_arm.argtypes = [ctypes.c_long]
library.full_disk_counted.restype = ctypes.c_long


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """One gateway."""

    session: ClientSession
    root: Path


async def main(folder: Path, elsewhere: Path) -> None:
    """Count the job's writes, then run it with the disk full from each of them on."""
    setattr(collector, "INTERVAL_S", 0.05)  # noqa: B010 - a constant, which is too long here
    async with nodes(elsewhere) as addresses:
        total = await run(folder / "none", 1_000_000, addresses)
        assert total > 30, "the library was not loaded"
        for limit in range(1, total + 1):
            await run(folder / str(limit), limit, addresses)
    print(total)  # noqa: T201 - a program


async def run(root: Path, limit: int, addresses: tuple[NodeAddress, ...]) -> int:
    """Do the job with the disk full from a write on, then with room again; return the number of writes."""
    settings = GatewaySettings(
        root=root,
        nodes=addresses,
        token=TOKEN,
        min_free=0,
        abandoned_age_s=0,
        audit_interval_s=0,
    )
    root.mkdir()
    app = make_app(settings)
    jobs = app[process.JOBS]
    async with (
        TestServer(app) as server,
        ClientSession(server.make_url("/")) as session,
        running(jobs),
    ):
        world = World(session=session, root=root)
        library.full_disk_arm(limit)
        acknowledged = await job(world)
        writes = int(library.full_disk_counted())
        library.full_disk_arm(0)
        await check(world, acknowledged)
        await again(world, whole=bool(limit % 2))
    return writes


async def job(world: World) -> set[bytes]:
    """Store in one request and in two, and delete the first; return what was acknowledged and not deleted."""
    kept = set()
    if 200 == await put(world):
        kept.add(WHOLE)
    if 308 == await put_part(world, 0, SIZE // 2) and 200 == await put_part(world, SIZE // 2, SIZE):
        kept.add(PARTS)
    if 200 == await delete(world, WHOLE):
        kept.discard(WHOLE)
    return kept


async def check(world: World, acknowledged: set[bytes]) -> None:
    """What was acknowledged is read back; nothing half-received stays."""
    for content in acknowledged:
        assert content == await read(world, content)
    assert not list((world.root / "spool").iterdir())


async def again(world: World, *, whole: bool) -> None:
    """With room again the same gateway, not restarted, stores, reads and deletes, and leaves nothing."""
    if whole:
        assert 200 == await put(world)
    else:
        assert 308 == await put_part(world, 0, SIZE // 2)
        assert 200 == await put_part(world, SIZE // 2, SIZE)
    content = WHOLE if whole else PARTS
    assert content == await read(world, content)
    assert 200 == await delete(world, content)
    assert await delete(world, PARTS if whole else WHOLE) in {200, 404}
    async with asyncio.timeout(PATIENCE_S):
        while any(await asyncio.to_thread(noted, world)):  # noqa: ASYNC110 - they are on a disk
            await asyncio.sleep(0.02)


def noted(world: World) -> list[int]:
    """Return how many objects, writes under way and deletions to be done the catalogue has."""
    with closing(sqlite3.connect(world.root / "catalogue.sqlite")) as database:
        count = "SELECT COUNT(*) FROM"
        tables = ("objects", "fragments", "intents", "garbage")
        return [int(database.execute(f"{count} {table}").fetchone()[0]) for table in tables]


async def put(world: World) -> int:
    """Store in one request."""
    async with world.session.put("/object/name", data=WHOLE, headers=identity()) as response:
        return await answered(response.status)


async def put_part(world: World, start: int, end: int) -> int:
    """Store a part."""
    headers = {**identity(), "Content-Range": f"bytes {start}-{end - 1}/{SIZE}"}
    data = PARTS[start:end]
    async with world.session.put(
        "/resume/parts", data=data, headers=headers, allow_redirects=False
    ) as response:
        return await answered(response.status)


async def delete(world: World, content: bytes) -> int:
    """Delete an object; 404 where it was not stored."""
    url = f"/file/{file_id_of(content).hex()}"
    async with world.session.delete(url, headers=identity()) as response:
        return 404 if response.status == 404 else await answered(response.status)


async def read(world: World, content: bytes) -> bytes:
    """Read an object."""
    async with world.session.get(f"/file/download/{file_id_of(content).hex()}") as response:
        assert 200 == response.status
        return await response.read()


async def answered(status: int) -> int:
    """Refuse a status that a full disk does not explain."""
    assert status in ANSWERS, status
    return status


@asynccontextmanager
async def running(jobs: Sequence[Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Do what the gateway does beside requests; a job that a full disk ends ends the test."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run(job)) for job in jobs]
        yield
        for task in tasks:
            task.cancel()


async def _run(job: Callable[[], Awaitable[None]]) -> None:
    await job()


@asynccontextmanager
async def nodes(root: Path) -> AsyncIterator[tuple[NodeAddress, ...]]:
    """Run the nodes."""
    stores = [FragmentStore(root / f"node-{number:02d}", FRAGMENT_SIZE) for number in range(NODES)]
    async with AsyncExitStack() as stack:
        served = [await stack.enter_async_context(TestServer(make_node_app(each, TOKEN))) for each in stores]
        yield tuple(
            NodeAddress(node=f"node-{number:02d}", url=str(server.make_url("")).rstrip("/"))
            for number, server in enumerate(served)
        )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
