"""The gateway's view of storage nodes that lie, fail, or are gone."""

from __future__ import annotations

import hashlib
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from caregrid.errors import StorageUnreachable
from caregrid.storage.file_id import FRAGMENT_SIZE
from storage_network.gateway.node_client import NodeClient
from storage_network.gateway.settings import NodeAddress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "t" * 64
GENUINE = b"\x05" * FRAGMENT_SIZE
DIGEST = hashlib.sha256(GENUINE).digest()
FORGED = GENUINE[:-1] + b"\x06"


async def _serve(request: web.Request) -> web.Response:
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    bodies = {"/honest": GENUINE, "/lying": FORGED, "/short": GENUINE[:-1]}
    node = "/" + request.path.split("/")[1]
    if request.path.endswith("/health"):
        return web.json_response({}, status=500 if node == "/lying" else 200)
    return web.Response(body=bodies[node])


@pytest.fixture
async def nodes() -> AsyncIterator[NodeClient]:
    """A client of an honest node, a lying one, one that cuts fragments, and one that is gone."""
    app = web.Application()
    app.router.add_get("/{path:.*}", _serve)
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        served = [
            NodeAddress(node=name, url=str(server.make_url(f"/{name}")))
            for name in ("honest", "lying", "short")
        ]
        yield NodeClient(session, [*served, NodeAddress(node="gone", url=gone)], TOKEN)


async def test_a_genuine_fragment_is_returned(nodes: NodeClient) -> None:
    """A fragment with the right hash is what the node sent."""
    assert await nodes.get("honest", DIGEST) == GENUINE
    assert not nodes.seems_down("honest")


@pytest.mark.parametrize("node", ["lying", "short"])
async def test_a_forged_fragment_counts_as_missing(nodes: NodeClient, node: str) -> None:
    """A fragment of another hash or length is refused even if the node vouches for it."""
    with pytest.raises(StorageUnreachable):
        await nodes.get(node, DIGEST)


async def test_a_whole_answer_is_no_part(nodes: NodeClient) -> None:
    """A node that ignores a range has not answered it."""
    with pytest.raises(StorageUnreachable, match="status 200"):
        await nodes.get_part("honest", DIGEST, 5, 10)


async def test_a_node_that_is_gone_is_remembered(nodes: NodeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection marks the node for a short while only."""
    monkeypatch.setattr("storage_network.gateway.node_client.DOWN_MEMORY_S", 0.0)
    with pytest.raises(StorageUnreachable):
        await nodes.get("gone", DIGEST)
    assert not nodes.seems_down("gone")
    monkeypatch.undo()
    with pytest.raises(StorageUnreachable):
        await nodes.get("gone", DIGEST)
    assert nodes.seems_down("gone")


async def test_nodes_outside_the_configuration_are_down(nodes: NodeClient) -> None:
    """A fragment on a node that is not configured any more is missing, not a crash."""
    assert nodes.seems_down("removed")
    with pytest.raises(StorageUnreachable, match="configured"):
        await nodes.get("removed", DIGEST)


async def test_only_healthy_nodes_are_alive(nodes: NodeClient) -> None:
    """A node that is gone or reports a failure is not written to."""
    told = await nodes.healths()
    assert [node for node, health in told.items() if health is not None] == ["honest", "short"]
