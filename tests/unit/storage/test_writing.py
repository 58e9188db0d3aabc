"""Giving fragments to nodes that stall, are slow, or refuse."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from caregrid.errors import DiskLow, StorageUnreachable
from caregrid.storage.file_id import FRAGMENT_SIZE
from storage_network.gateway import node_client, writing
from storage_network.gateway.homes import Homes
from storage_network.gateway.node_client import NodeClient
from storage_network.gateway.settings import NodeAddress
from storage_network.gateway.writing import Parcel, Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONTENT = b"\x07" * FRAGMENT_SIZE
PARCEL = Parcel(digest=hashlib.sha256(CONTENT).digest(), content=CONTENT)
NAMES = ("good", "other", "slow", "stalling", "silent", "full")


class Nodes:
    """Nodes by their paths; `slow` writes when it is told to."""

    def __init__(self) -> None:
        self.go, self.over = asyncio.Event(), asyncio.Event()
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Behave like the node that the path names."""
        node = request.path.split("/")[1]
        if request.path.endswith("/health"):
            return web.json_response({"bytes_free": 10**12})
        self.asked.append(node)
        if node == "full":
            return web.Response(status=507)
        if node == "stalling":
            await request.content.readexactly(1)
            await self.over.wait()
        await request.read()
        if node == "silent":
            await self.over.wait()
        if node == "slow":
            await self.go.wait()
        return web.Response(status=201)


@pytest.fixture
async def nodes() -> AsyncIterator[tuple[Nodes, NodeClient]]:
    """All of them, and a client."""
    nodes = Nodes()
    app = web.Application(client_max_size=2 * FRAGMENT_SIZE)
    app.router.add_route("*", "/{path:.*}", nodes.answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        served = [NodeAddress(node=name, url=str(server.make_url(f"/{name}"))) for name in NAMES]
        yield nodes, NodeClient(session, served, "t" * 64)
        nodes.go.set()
        nodes.over.set()


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have patience for moments only."""
    monkeypatch.setattr(node_client, "WRITE_GRACE_S", 0.2)
    monkeypatch.setattr(node_client, "WRITE_FLOOR", 1 << 30)
    monkeypatch.setattr(node_client, "WRITE_SYNC_TIMEOUT_S", 0.2)


@pytest.mark.parametrize("node", ["stalling", "silent"])
async def test_a_node_that_stalls_is_given_up(
    nodes: tuple[Nodes, NodeClient], monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    """In the middle of a fragment or behind it, long before the deadline of the whole; it counts as down."""
    hurry(monkeypatch)
    with pytest.raises(StorageUnreachable):
        async with asyncio.timeout(node_client.WRITE_TIMEOUT_S / 2):
            await nodes[1].put(node, PARCEL.digest, PARCEL.content)
    assert nodes[1].seems_down(node)
    assert 1 == nodes[1].failures[node]


async def test_a_node_that_takes_all_along_has_its_time(
    nodes: tuple[Nodes, NodeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken buys more of it; then the disk has a time of its own."""
    monkeypatch.setattr(node_client, "WRITE_GRACE_S", 60.0)
    async with asyncio.TaskGroup() as group:
        writing_on = group.create_task(nodes[1].put("slow", PARCEL.digest, PARCEL.content))
        while "slow" not in nodes[0].asked:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
        nodes[0].go.set()
    assert writing_on.result() is None


async def test_a_slow_node_does_not_hold_up_a_fragment(
    nodes: tuple[Nodes, NodeClient], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another one gets it, too, and keeps it; the slow one is asked last from then on."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(writing, "WRITE_PATIENCE_S", 0.05)
    homes, spares = Homes(nodes[1]), deque(["good", "other"])
    assert "good" == await Writer(nodes[1], homes).place(PARCEL, "silent", spares)
    assert deque(["other"]) == spares
    assert "silent" == (await homes.order())[-1]
    assert "node_slow node=silent" in caplog.text


async def test_a_spare_that_was_not_needed_is_one_again(
    nodes: tuple[Nodes, NodeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first was slow but came first; nothing is held against it."""
    monkeypatch.setattr(writing, "WRITE_PATIENCE_S", 0.05)
    homes, spares = Homes(nodes[1]), deque(["silent", "other"])
    async with asyncio.TaskGroup() as group:
        placing = group.create_task(Writer(nodes[1], homes).place(PARCEL, "slow", spares))
        while "silent" not in nodes[0].asked:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
        nodes[0].go.set()
    assert "slow" == placing.result()
    assert {"silent", "other"} == set(spares)


async def test_who_refuses_is_replaced_at_once(nodes: tuple[Nodes, NodeClient]) -> None:
    """And when nobody is left, that is told."""
    writer = Writer(nodes[1], Homes(nodes[1]))
    assert "good" == await writer.place(PARCEL, "full", deque(["good"]))
    assert await writer.place(PARCEL, "full", deque()) is None


async def test_other_faults_are_not_taken_for_a_nodes(
    nodes: tuple[Nodes, NodeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a disk of the gateway's own that is full when a write is to be noted."""

    async def full(*_: object) -> None:
        raise DiskLow

    monkeypatch.setattr(nodes[1], "put", full)
    with pytest.raises(DiskLow):
        await Writer(nodes[1], Homes(nodes[1])).place(PARCEL, "good", deque(["other"]))
