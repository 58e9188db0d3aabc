"""Fragments move to other nodes while objects are read, nodes are dead and the gateway is killed."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import StorageUnreachable
from caregrid.storage import file_id_of
from storage_network import drains as program
from tests.faults.storage_world import (
    MIB,
    PATIENCE_S,
    client,
    content_of,
    fragments_on,
    gateway,
    in_its_place,
    metric,
    running,
    until,
    until_counted,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from caregrid.storage import DeossStore
    from storage_network import LocalNetwork

LYING = Path(__file__).with_name("lying_node.py")
CONTENT = content_of(41, 80 * MIB)
FID = file_id_of(CONTENT)
MOVING = ["--move-interval-s=0.2", "--moved-age-s=0.5", "--abandoned-age-s=0"]
#: Slow enough to be caught in the middle of three fragments.
SLOWLY = [*MOVING, f"--move-max-rate={8 * MIB}"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of which nothing stays."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def drain(network: LocalNetwork, number: int) -> None:
    """Have a node emptied for good."""
    root = network.node_folder(0).parent / "gateway"
    assert 0 == program.main(["--root", str(root), "start", f"node-{number:02d}"])


async def put(store: DeossStore, folder: Path) -> None:
    """Store the content."""
    source = folder / "source"
    source.write_bytes(CONTENT)
    assert await store.put(source) == FID


async def placed(store: DeossStore) -> list[set[str]]:
    """Return the nodes of each segment; every fragment lives, each on a node of its own."""
    found = await store.fragments(FID)
    assert found is not None
    for segment in found:
        assert all(each.living for each in segment.fragments), segment
        assert 12 == len({each.node for each in segment.fragments})
    return [{each.node for each in segment.fragments} for segment in found]


async def whole(store: DeossStore) -> None:
    """Wait until every fragment lives."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            stat = await store.stat(FID)
            assert stat is not None
            assert stat.placement is not None
            if stat.placement.living == stat.placement.total:
                return
            await asyncio.sleep(0.05)


async def require_content(store: DeossStore, folder: Path) -> None:
    """Read the object."""
    assert await store.download(FID, folder / "target") == len(CONTENT)
    assert (folder / "target").read_bytes() == CONTENT


@asynccontextmanager
async def watched(store: DeossStore) -> AsyncIterator[list[int]]:
    """Ask for the health and read a part all the time; yields how many fragments lived at each look."""
    living, over = list[int](), asyncio.Event()

    async def watch() -> None:
        while not over.is_set():
            stat = await store.stat(FID)
            assert stat is not None
            assert stat.placement is not None
            living.append(stat.placement.living)
            start = len(living) * MIB % len(CONTENT)
            assert CONTENT[start : start + 1000] == await store.read_range(FID, start, 1000)

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        try:
            yield living
        finally:
            over.set()


async def test_a_node_is_emptied_while_objects_are_read(folder: Path) -> None:
    """Health never drops, no read fails, and in the end nothing is left on it, nor new there."""
    with running(folder / "network", nodes=13, gateway_options=MOVING) as network:
        async with client(network) as store, gateway(network) as session:
            await put(store, folder)
            number = int(min((await placed(store))[0])[-2:])
            async with watched(store) as living:
                await asyncio.to_thread(drain, network, number)
                await until(lambda: not fragments_on(network, number))
            assert {12} == set(living)
            assert all(f"node-{number:02d}" not in nodes for nodes in await placed(store))
            assert await metric(session, "caregrid_gateway_fragments_moved") >= 1
            left = f'caregrid_gateway_node_drain_fragments{{node="node-{number:02d}"}}'
            assert await metric(session, left) == 0
            (folder / "source").write_bytes(CONTENT[::-1])
            await store.put(folder / "source")
            assert set() == fragments_on(network, number)
            [told] = [each for each in await store.nodes() or () if each.node == f"node-{number:02d}"]
            assert told.draining
            await require_content(store, folder)


async def test_a_gateway_killed_while_it_moves(folder: Path) -> None:
    """Killed again and again, it loses nothing and leaves nothing, and comes to the end."""
    with running(folder / "network", nodes=13, gateway_options=SLOWLY) as network:
        async with client(network) as store:
            await put(store, folder)
            number = int(min(set.intersection(*await placed(store)))[-2:])
        drain(network, number)
        for _ in range(3):
            before = len(fragments_on(network, number))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(network.kill_gateway)
            await asyncio.to_thread(network.restart_gateway)
            assert len(fragments_on(network, number)) <= before
            async with client(network) as store:
                await placed(store)
        async with client(network) as store:
            await until(lambda: not fragments_on(network, number))
            await placed(store)
            await require_content(store, folder)
            await until(lambda: 36 == sum(len(fragments_on(network, each)) for each in range(13)))


async def test_a_dead_node_is_drained(folder: Path) -> None:
    """What it held is computed from others; when it comes back, that is deleted there."""
    with running(folder / "network", nodes=13, gateway_options=MOVING) as network:
        async with client(network) as store:
            await put(store, folder)
            number = int(min((await placed(store))[0])[-2:])
            await asyncio.to_thread(network.kill_node, number)
            drain(network, number)
            await whole(store)
            await placed(store)
            await asyncio.to_thread(network.restart_node, number)
            await until(lambda: not fragments_on(network, number))


async def test_a_drain_without_room_elsewhere_keeps_everything(folder: Path) -> None:
    """With twelve nodes nobody can take a fragment: it stays, nothing is stored anew, and stopping helps."""
    with running(folder / "network", gateway_options=MOVING) as network:
        async with client(network) as store:
            await put(store, folder)
            drain(network, 5)
            (folder / "source").write_bytes(b"other")
            with pytest.raises(StorageUnreachable, match="503"):
                await store.put(folder / "source")
            assert 3 == len(fragments_on(network, 5))
            await placed(store)
            root = network.node_folder(0).parent / "gateway"
            assert 0 == program.main(["--root", str(root), "stop", "node-05"])
            assert await store.put(folder / "source")


async def test_nothing_moves_to_a_node_that_lies(folder: Path) -> None:
    """It takes a fragment and vouches for it; what it sends back is not that, so the old copy stays."""
    with running(folder / "network", nodes=13, gateway_options=MOVING) as network:
        async with client(network) as store, gateway(network) as session:
            await asyncio.to_thread(network.kill_node, 9)
            await put(store, folder)
            before = await placed(store)
            with in_its_place(LYING, network.node_urls[9]):
                drain(network, 2)
                await until_counted(session, 'caregrid_gateway_node_lies{node="node-09"}')
            assert before == await placed(store)
            assert 3 == len(fragments_on(network, 2))


async def test_a_new_node_gets_its_share(folder: Path) -> None:
    """It comes up empty beside twelve that hold fragments, which then move until all are about as full."""
    options = {"gateway_options": MOVING, "node_options": [f"--max-bytes={12 * 8 * MIB}"]}
    with running(folder / "network", nodes=13, **options) as network:
        await asyncio.to_thread(network.kill_node, 7)
        async with client(network) as store:
            await put(store, folder)
            assert {3} == {len(fragments_on(network, each)) for each in range(13) if each != 7}
            async with watched(store) as living:
                await asyncio.to_thread(network.restart_node, 7)
                await until(lambda: len(fragments_on(network, 7)) >= 2)
            assert {12} == set(living)
            await until(lambda: 36 == sum(len(fragments_on(network, each)) for each in range(13)))
            assert {2, 3} == {len(fragments_on(network, each)) for each in range(13)}
            await placed(store)
            await require_content(store, folder)
