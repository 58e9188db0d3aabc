"""The gateway's part in proofs: what nodes answer and fail to, and what clients may send."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
import sr25519
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from scalecodec.utils.ss58 import ss58_encode

from caregrid.errors import (
    CaregridError,
    DiskLow,
    FragmentLost,
    InputInvalid,
    ProofOverdue,
    StorageUnreachable,
    TagsUnknown,
)
from storage_network.gateway import GatewaySettings, make_app, proving
from storage_network.gateway.node_client import NodeClient
from storage_network.gateway.proving import MAX_PROOF_LEN, Proving
from storage_network.gateway.records import PlacedFragment
from storage_network.gateway.settings import NodeAddress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

PAIR = sr25519.pair_from_seed(b"\x01" * 32)
FRAGMENT = PlacedFragment(digest=b"\x05" * 32, node="node-00")
NAME = b"\x06" * 32


class Node:
    """A node that answers whatever it is told to."""

    status, body, pause_s = 200, b"", 0.0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer."""
        await request.read()
        await asyncio.sleep(self.pause_s)
        return web.Response(status=self.status, body=self.body)


@pytest.fixture
async def node() -> AsyncIterator[tuple[Node, Proving]]:
    """A node and the gateway's way to it."""
    told = Node()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        address = NodeAddress(node="node-00", url=str(server.make_url("")).rstrip("/"))
        yield told, Proving(NodeClient(session, [address], None))


ERRORS: list[tuple[int, bytes, type[CaregridError]]] = [
    (404, b'{"error": "fragment_unknown"}', FragmentLost),
    (410, b'{"error": "fragment_corrupt"}', FragmentLost),
    (404, b'{"error": "tags_unknown"}', TagsUnknown),
    (400, b'{"error": "challenge_invalid"}', InputInvalid),
    (507, b'{"error": "disk_full"}', DiskLow),
    (401, b'{"error": "unauthorised"}', StorageUnreachable),
    (500, b"", StorageUnreachable),
    (404, b"not json", StorageUnreachable),
    (404, b'["error"]', StorageUnreachable),
    (400, b'{"error": ' + b"[" * 3_000, StorageUnreachable),
]


@pytest.mark.parametrize(("status", "body", "expected"), ERRORS)
async def test_what_nodes_say(
    node: tuple[Node, Proving], status: int, body: bytes, expected: type[CaregridError]
) -> None:
    """Each refusal has its error; anything else is a node that failed."""
    told, asked = node
    told.status, told.body = status, body
    with pytest.raises(expected):
        await asked.prove(FRAGMENT, NAME, b"challenge")
    with pytest.raises(expected):
        await asked.put_tags(FRAGMENT, NAME, b"tags")


async def test_a_slow_node_is_contained(node: tuple[Node, Proving], monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that takes the connection and does not prove in time is told from one that is down."""
    told, asked = node
    told.pause_s = 5.0
    monkeypatch.setattr(proving, "PROOF_TIMEOUT_S", 0.05)
    with pytest.raises(ProofOverdue):
        await asked.prove(FRAGMENT, NAME, b"challenge")


async def test_an_endless_answer_is_cut(node: tuple[Node, Proving]) -> None:
    """No node makes the gateway hold more than a proof; what is too long is passed on as no proof."""
    told, asked = node
    told.body = b"x" * 900_000
    assert MAX_PROOF_LEN + 1 == len(await asked.prove(FRAGMENT, NAME, b"challenge"))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"tags": 5}', b'{"tags": ["zz"]}', b'{"tags": ["00"]}', b'{"tags": [5]}', b"[]"]
)
async def test_odd_lists_of_tags(node: tuple[Node, Proving], body: bytes) -> None:
    """What is no list of hashes is a node that failed."""
    told, asked = node
    told.body = body
    with pytest.raises(StorageUnreachable):
        await asked.tags(FRAGMENT)


async def test_a_node_that_is_gone(node: tuple[Node, Proving]) -> None:
    """A fragment on a node that is not configured any more is unreachable."""
    _, asked = node
    with pytest.raises(StorageUnreachable):
        await asked.tags(PlacedFragment(digest=bytes(32), node="node-77"))


def _identity() -> dict[str, str]:
    text = str(int(time.time()) + 60)
    signature = sr25519.sign(PAIR, text.encode()).hex()
    return {"Account": ss58_encode(PAIR[0], 42), "Message": text, "Signature": signature}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[tuple[int, str]]]]:
    """Asks a gateway that knows no node and no object."""
    app = make_app(GatewaySettings(root=tmp_path, nodes=(), token="t" * 64))
    async with TestClient(TestServer(app)) as client:

        async def ask(
            method: str, path: str, query: dict[str, str], *, signed: bool = True
        ) -> tuple[int, str]:
            headers = _identity() if signed else {}
            async with client.request(method, path, params=query, data=b"x", headers=headers) as response:
                return response.status, (await response.json())["msg"]

        yield ask


ROUTES = [("PUT", "/fragment/tags"), ("GET", "/fragment/tags"), ("POST", "/fragment/proof")]
QUERY = {"fid": "0" * 64, "segment": "0", "index": "0", "tags": "0" * 64}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_requests_are_signed(
    gateway: Callable[..., Awaitable[tuple[int, str]]], method: str, path: str
) -> None:
    """Nobody asks without an account; and what is not stored is unknown."""
    assert (403, "no permission") == await gateway(method, path, QUERY, signed=False)
    assert (404, "Not found") == await gateway(method, path, QUERY)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_odd_ids_are_refused(
    gateway: Callable[..., Awaitable[tuple[int, str]]], method: str, path: str
) -> None:
    """A file id that is none is 400, not a failure of the gateway."""
    for fid in ("", "0" * 63, "G" * 64):
        assert (400, "invalid fid") == await gateway(method, path, {**QUERY, "fid": fid})
