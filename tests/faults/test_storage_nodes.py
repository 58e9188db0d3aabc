"""Storage nodes that are killed, hang, lie and run full while others work."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.errors import StorageUnreachable
from caregrid.storage import file_id_of
from tests.faults.storage_world import (
    MIB,
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
    from collections.abc import Iterator

    import aiohttp

    from caregrid.storage import DeossStore
    from storage_network import LocalNetwork

CONTENT = content_of(11, 40 * MIB)
FID = file_id_of(CONTENT)
LONG = content_of(12, 160 * MIB)
LIAR = Path(__file__).with_name("lying_node.py")
#: Exactly one fragment.
ONE = "--max-bytes=8388608"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of which nothing stays."""
    yield tmp_path
    shutil.rmtree(tmp_path)


async def _require_range(store: DeossStore, offset: int) -> None:
    assert CONTENT[offset : offset + MIB] == await store.read_range(FID, offset, MIB)


async def test_four_of_twelve_nodes_die_while_readers_read(folder: Path) -> None:
    """Six readers go on through the death of four nodes, and not one read fails or is wrong."""
    source = folder / "source"
    source.write_bytes(CONTENT)
    with running(folder / "network") as network:
        async with client(network) as store:
            assert await store.put(source) == FID
            done = [0] * 6
            killed = asyncio.Event()

            async def read(reader: int) -> None:
                after = 0
                while after < 4:
                    await _require_range(store, (done[reader] * 7 + reader * 5) % 39 * MIB)
                    done[reader] += 1
                    after += killed.is_set()

            async with asyncio.TaskGroup() as group:
                for reader in range(6):
                    group.create_task(read(reader))
                await until(lambda: min(done) >= 1)
                for number in (0, 4, 7, 10):
                    await asyncio.to_thread(network.kill_node, number)
                killed.set()
            assert await store.download(FID, folder / "target") == len(CONTENT)
            assert (folder / "target").read_bytes() == CONTENT
        assert 1 + 8 == len(network.pids)


async def test_four_nodes_die_in_an_upload_that_has_spares(folder: Path) -> None:
    """With sixteen nodes, an upload goes on with those that are left; all of it is there, on twelve each."""
    source = folder / "source"
    source.write_bytes(LONG)
    with running(folder / "network", nodes=16) as network:
        async with client(network) as store, asyncio.TaskGroup() as group:
            upload = group.create_task(store.put(source))
            await until(lambda: _segment_begun(network))
            for number in (1, 5, 9, 13):
                await asyncio.to_thread(network.kill_node, number)
        assert upload.result() == file_id_of(LONG)
        for number in (1, 5, 9, 13):
            await asyncio.to_thread(network.restart_node, number)
        async with client(network) as store:
            assert await store.download(upload.result(), folder / "target") == len(LONG)
            assert (folder / "target").read_bytes() == LONG


async def test_four_nodes_die_in_an_upload_without_spares(folder: Path) -> None:
    """With eight nodes left an upload is refused, nothing is listed, its fragments go; later it succeeds."""
    source = folder / "source"
    source.write_bytes(LONG)
    with running(folder / "network", gateway_options=["--abandoned-age-s=0"]) as network:
        async with client(network) as store:
            async with asyncio.TaskGroup() as group:
                upload = group.create_task(_refused(store, source))
                await until(lambda: _segment_begun(network))
                for number in (1, 5, 9, 11):
                    await asyncio.to_thread(network.kill_node, number)
            assert upload.result()
            assert await store.stat(file_id_of(LONG)) is None
            for number in (1, 5, 9, 11):
                await asyncio.to_thread(network.restart_node, number)
            await until(lambda: not _segment_begun(network))
            assert await store.put(source) == file_id_of(LONG)


async def test_a_node_that_hangs_gets_no_fragments(folder: Path) -> None:
    """A stopped node, which still accepts connections, is passed over by an upload."""
    source = folder / "source"
    source.write_bytes(CONTENT)
    with running(folder / "network", nodes=13) as network:
        os.kill(network.pids["node-03"], signal.SIGSTOP)
        async with client(network) as store:
            assert await store.put(source) == FID
            os.kill(network.pids["node-03"], signal.SIGCONT)
            assert set() == fragments_on(network, 3)
            await _require_range(store, 0)


async def test_a_node_that_lies_is_noticed(folder: Path) -> None:
    """A process in a node's place sends other bytes: readers get the right ones, and it is called a liar."""
    source = folder / "source"
    source.write_bytes(CONTENT)
    with running(folder / "network", gateway_options=["--audit-interval-s=0"]) as network:
        async with client(network) as store, gateway(network) as session:
            await store.put(source)
            number = await _home_of_the_first_fragment(session)
            await asyncio.to_thread(network.kill_node, number)
            with in_its_place(LIAR, network.node_urls[number]):
                assert await store.download(FID, folder / "target") == len(CONTENT)
                assert (folder / "target").read_bytes() == CONTENT
                assert await metric(session, f'caregrid_gateway_node_lies{{node="node-{number:02d}"}}') == 1
                # From now on it is not asked for parts, which the gateway cannot check.
                await _require_range(store, 5 * MIB)
                placement = await _placement(session, "checked")
                assert 11 == placement["living"]


async def test_a_liar_is_noticed_before_anybody_reads(folder: Path) -> None:
    """The samples that the gateway takes by itself find out."""
    source = folder / "source"
    source.write_bytes(CONTENT)
    with running(folder / "network", gateway_options=["--audit-interval-s=0.2"]) as network:
        async with client(network) as store, gateway(network) as session:
            await store.put(source)
            await asyncio.to_thread(network.kill_node, 6)
            with in_its_place(LIAR, network.node_urls[6]):
                await until_counted(session, 'caregrid_gateway_node_lies{node="node-06"}')


async def test_full_nodes_are_passed_over_and_have_room_again(folder: Path) -> None:
    """Thirteen nodes with room for one fragment each hold one segment; a deletion makes room for another."""
    first, second = folder / "first", folder / "second"
    first.write_bytes(CONTENT[: 32 * MIB])
    second.write_bytes(LONG[: 32 * MIB])
    options = {"gateway_options": ["--abandoned-age-s=0"], "node_options": [ONE]}
    with running(folder / "network", nodes=13, **options) as network:
        async with client(network) as store:
            fid = await store.put(first)
            with pytest.raises(StorageUnreachable):
                await store.put(second)
            assert max(len(fragments_on(network, number)) for number in range(13)) == 1
            assert await store.download(fid, folder / "target") == 32 * MIB
            assert await store.delete(fid)
            await until(lambda: not _segment_begun(network))
            assert file_id_of(LONG[: 32 * MIB]) == await store.put(second)


async def test_a_torn_fragment_is_found_at_the_start(folder: Path) -> None:
    """A file that a power cut left short is set aside before anybody asks, and reads do without it."""
    source = folder / "source"
    source.write_bytes(CONTENT)
    with running(folder / "network") as network:
        async with client(network) as store, gateway(network) as session:
            await store.put(source)
            number = await _home_of_the_first_fragment(session)
            await asyncio.to_thread(network.kill_node, number)
            torn = min(fragments_on(network, number))
            os.truncate(network.node_folder(number) / "fragments" / torn, 4096)
            await asyncio.to_thread(network.restart_node, number)
            assert torn not in fragments_on(network, number)
            assert (network.node_folder(number) / "corrupt" / torn).exists()
            assert await store.download(FID, folder / "target") == len(CONTENT)
            assert (folder / "target").read_bytes() == CONTENT


def _segment_begun(network: LocalNetwork) -> bool:
    return any(fragments_on(network, number) for number in range(12))


async def _refused(store: DeossStore, source: Path) -> bool:
    with pytest.raises(StorageUnreachable):
        await store.put(source)
    return True


async def _home_of_the_first_fragment(session: aiohttp.ClientSession) -> int:
    placement = await _placement(session, "fragments")
    return int(placement["segments"][0]["fragments"][0]["node"][-2:])


async def _placement(session: aiohttp.ClientSession, how: str) -> dict[str, Any]:
    async with session.get(f"/file/metadata/{FID.hex()}", headers={"Placement": how}) as response:
        placement: dict[str, Any] = (await response.json())["data"]["placement"]
    return placement
