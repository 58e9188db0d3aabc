"""The gateway's own refusals, without any storage node behind it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import sr25519
from aiohttp.test_utils import TestClient, TestServer
from scalecodec.utils.ss58 import ss58_encode

from storage_network.gateway import GatewaySettings, make_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import web

    Client = TestClient[web.Request, web.Application]

PAIR = sr25519.pair_from_seed(b"\x01" * 32)
LIMIT = 100_000


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Client]:
    """A gateway that takes small objects only, and knows no node."""
    settings = GatewaySettings(
        root=tmp_path, nodes=(), token="t" * 64, max_object_size=LIMIT, require_expiry=True
    )
    async with TestClient(TestServer(make_app(settings))) as client:
        yield client


def _identity(message: str | None = None) -> dict[str, str]:
    text = message or str(int(time.time()) + 60)
    signature = sr25519.sign(PAIR, text.encode()).hex()
    return {"Account": ss58_encode(PAIR[0], 42), "Message": text, "Signature": signature}


async def _chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 10_000


@pytest.mark.parametrize("announced", [True, False])
async def test_large_objects_are_refused(gateway: Client, tmp_path: Path, *, announced: bool) -> None:
    """One byte over the limit is 413 and names the limit, whether its length was announced or not."""
    body = b"x" * (LIMIT + 1) if announced else _chunks(11)
    async with gateway.put("/object/name", data=body, headers=_identity()) as response:
        envelope = await response.json()
    assert (response.status, envelope["code"], envelope["data"]) == (413, 413, {"limit": LIMIT})
    assert _spooled(tmp_path) == []


async def test_an_upload_without_nodes_is_503(gateway: Client, tmp_path: Path) -> None:
    """An object of just the limit is taken, and refused only because no node could keep it."""
    async with gateway.put("/object/name", data=_chunks(10), headers=_identity()) as response:
        envelope = await response.json()
    assert (response.status, envelope["code"]) == (503, 503)
    assert "12 storage nodes" in envelope["msg"]
    assert _spooled(tmp_path) == []


async def test_endless_signatures_can_be_refused(gateway: Client) -> None:
    """A gateway set so refuses a message that never expires."""
    async with gateway.put("/object/name", data=b"x", headers=_identity("for ever")) as response:
        assert (response.status, (await response.json())["msg"]) == (403, "no permission")


@pytest.mark.parametrize("territory", ["x" * 64, "a\u0085b"])
async def test_odd_territories_are_refused(gateway: Client, territory: str) -> None:
    """A territory's name that is overlong or no text is 400, not a failure of the gateway."""
    headers = {**_identity(), "Territory": territory}
    async with gateway.put("/object/name", data=b"x", headers=headers) as response:
        assert response.status == 400


async def test_other_methods_are_envelopes_too(gateway: Client) -> None:
    """A route used with another method is 405 in an envelope."""
    async with gateway.delete("/object/name") as response:
        assert await response.json() == {"code": 405, "msg": "Method Not Allowed", "data": None}


async def test_leftover_uploads_are_cleared(tmp_path: Path) -> None:
    """What a killed gateway had received only in part is gone when the next one starts."""
    leftover = tmp_path / "spool" / "0123"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    settings = GatewaySettings(root=tmp_path, nodes=(), token="t" * 64)
    async with TestClient(TestServer(make_app(settings))):
        assert _spooled(tmp_path) == []


def _spooled(root: Path) -> list[Path]:
    return list((root / "spool").iterdir())
