"""A gateway that is killed, or asked to stop, while it works."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
from typing import TYPE_CHECKING

import aiohttp
import pytest

from caregrid.storage import file_id_of
from tests.faults.storage_world import (
    MIB,
    client,
    content_of,
    fragments_on,
    gateway,
    identity,
    running,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from storage_network import LocalNetwork

SIZE = 48 * MIB
CONTENT = content_of(21, SIZE)
FID = file_id_of(CONTENT)
FIRST = 8 * MIB


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LocalNetwork]:
    """A network that gives failed uploads up at once."""
    with running(tmp_path / "network", gateway_options=["--abandoned-age-s=0"]) as started:
        yield started
    shutil.rmtree(tmp_path / "network")


async def test_a_resumed_upload_goes_on_where_it_was_cut(network: LocalNetwork, tmp_path: Path) -> None:
    """Killed in a chunk, the gateway knows afterwards how much is durable, and the rest completes it."""
    async with gateway(network) as session:
        assert (308, None) == await _send(session, 0, FIRST)
        await _send_and_kill(session, network)
    await asyncio.to_thread(network.restart_gateway)
    async with gateway(network) as session:
        held = await _held(session)
        assert FIRST <= held < SIZE
        again = await _send(session, 0, FIRST)
        assert (308, held) == (again[0], await _held(session))
        for _ in range(2):
            assert (200, {"fid": FID.hex()}) == await _send(session, held, SIZE)
    await _require_whole(network, tmp_path)


async def test_a_gateway_killed_while_it_spreads_an_upload(network: LocalNetwork, tmp_path: Path) -> None:
    """Killed between two nodes, it has nothing listed, what nodes got goes, and the last chunk is enough."""
    async with gateway(network) as session:
        await _send(session, 0, SIZE - MIB)
        async with asyncio.TaskGroup() as group:
            last = group.create_task(_outcome(session))
            await until(lambda: _on_nodes(network) > 0)
            await asyncio.to_thread(network.kill_gateway)
        assert last.result() is None
    await asyncio.to_thread(network.restart_gateway)
    async with client(network) as store:
        assert await store.stat(FID) is None
    await until(lambda: _on_nodes(network) == 0)
    async with gateway(network) as session:
        assert (200, {"fid": FID.hex()}) == await _send(session, SIZE - MIB, SIZE)
    await _require_whole(network, tmp_path)


async def test_a_gateway_killed_in_a_deletion(network: LocalNetwork, tmp_path: Path) -> None:
    """Killed after the answer, with a node down, it deletes from all of them when both are back."""
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    async with client(network) as store:
        await store.put(source)
        await asyncio.to_thread(network.kill_node, 2)
        assert await store.delete(FID)
    await asyncio.to_thread(network.kill_gateway)
    await asyncio.to_thread(network.restart_node, 2)
    await asyncio.to_thread(network.restart_gateway)
    await until(lambda: _on_nodes(network) == 0)


async def test_a_gateway_that_is_asked_to_stop_finishes_what_runs(network: LocalNetwork) -> None:
    """An upload that runs when SIGTERM comes is answered, with all fragments written; then it is gone."""
    async with gateway(network) as session:
        await _send(session, 0, SIZE - MIB)
        pid = network.pids["gateway"]
        async with asyncio.TaskGroup() as group:
            last = group.create_task(_send(session, SIZE - MIB, SIZE))
            await until(lambda: _on_nodes(network) > 0)
            os.kill(pid, signal.SIGTERM)
        assert (200, {"fid": FID.hex()}) == last.result()
    await until(lambda: "gateway" not in network.pids)
    assert 12 == len(network.pids)
    assert 24 == _on_nodes(network)


async def _send(session: aiohttp.ClientSession, start: int, end: int) -> tuple[int, object]:
    headers = {**identity(), "Content-Range": f"bytes {start}-{end - 1}/{SIZE}"}
    async with session.put(
        "/resume/scan.dcm", data=io.BytesIO(CONTENT[start:end]), headers=headers
    ) as response:
        answer = await response.json()
    return response.status, answer and answer["data"]


async def _send_and_kill(session: aiohttp.ClientSession, network: LocalNetwork) -> None:
    half = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(FIRST, SIZE - MIB, MIB):
            yield CONTENT[start : start + MIB]
        half.set()
        await asyncio.sleep(60)

    headers = {**identity(), "Content-Range": f"bytes {FIRST}-{SIZE - 1}/{SIZE}"}
    async with asyncio.TaskGroup() as group:
        group.create_task(_fails(session.put("/resume/scan.dcm", data=pieces(), headers=headers)))
        await half.wait()
        await asyncio.to_thread(network.kill_gateway)


async def _fails(request: aiohttp.client._RequestContextManager) -> None:
    with pytest.raises(aiohttp.ClientError):
        async with request:
            pass


async def _outcome(session: aiohttp.ClientSession) -> tuple[int, object] | None:
    try:
        return await _send(session, SIZE - MIB, SIZE)
    except aiohttp.ClientError:
        return None


async def _held(session: aiohttp.ClientSession) -> int:
    headers = {**identity(), "Content-Range": f"bytes */{SIZE}"}
    async with session.head("/resume/scan.dcm", headers=headers) as response:
        assert response.status == 200
        return int(response.headers["Upload-Offset"])


async def _require_whole(network: LocalNetwork, folder: Path) -> None:
    async with client(network) as store:
        assert await store.download(FID, folder / "target") == SIZE
    assert (folder / "target").read_bytes() == CONTENT
    (folder / "target").unlink()


def _on_nodes(network: LocalNetwork) -> int:
    return sum(len(fragments_on(network, number)) for number in range(12))
