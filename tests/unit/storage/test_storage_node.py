"""A storage node over HTTP, with small fragments."""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient, TestServer

from storage_network.node import FragmentStore, make_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import web

    Client = TestClient[web.Request, web.Application]

SIZE = 256 * 1024
CONTENT = hashlib.shake_256(b"fragment").digest(SIZE // 2) + bytes(SIZE // 2)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
TOKEN = "t" * 64
ROUTE = f"/fragment/{DIGEST}"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Client]:
    """A node that serves from the test's folder."""
    app = make_app(FragmentStore(tmp_path, SIZE), TOKEN)
    async with TestClient(TestServer(app), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


async def _error_of(client: Client, method: str, route: str, **options: object) -> tuple[int, str]:
    async with client.request(method, route, **options) as response:  # type: ignore[arg-type]
        return response.status, (await response.json())["error"]


def _files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_fragment_comes_back(node: Client) -> None:
    """What was put is got, whole and in part, and its size is known."""
    async with node.put(ROUTE, data=CONTENT) as response:
        assert response.status == 201
    async with node.get(ROUTE) as response:
        assert await response.read() == CONTENT
    async with node.get(ROUTE, headers={"Range": "bytes=10-19"}) as response:
        assert (response.status, await response.read()) == (206, CONTENT[10:20])
        assert response.headers["Content-Range"] == f"bytes 10-19/{SIZE}"
    async with node.head(ROUTE) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, str(SIZE))


async def test_health_counts(node: Client) -> None:
    """A node tells how many fragments it holds and how much room is left."""
    await node.put(ROUTE, data=CONTENT)
    async with node.get("/health") as response:
        health = await response.json()
    assert health["fragments"] == 1
    assert health["bytes_free"] > 0


async def test_absent_fragments_are_404(node: Client) -> None:
    """A fragment that was never put is unknown, by every method."""
    assert await _error_of(node, "GET", ROUTE) == (404, "fragment_unknown")
    assert await _error_of(node, "GET", ROUTE, headers={"Range": "bytes=0-0"}) == (404, "fragment_unknown")
    async with node.head(ROUTE) as response:
        assert response.status == 404


async def test_wrong_content_is_refused(node: Client, tmp_path: Path) -> None:
    """Content of another hash or another size leaves nothing on the disk."""
    flipped = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    assert await _error_of(node, "PUT", ROUTE, data=flipped) == (400, "hash_mismatch")
    assert await _error_of(node, "PUT", ROUTE, data=CONTENT[:1]) == (400, "hash_mismatch")
    assert await _error_of(node, "PUT", ROUTE, data=CONTENT + b"\0") == (400, "wrong_size")
    assert _files_below(tmp_path) == []


async def test_zero_bytes_at_the_end_need_not_be_sent(node: Client) -> None:
    """What is missing at a fragment's end is zero, down to a fragment of nothing else."""
    short = CONTENT.rstrip(b"\0")
    assert len(short) < SIZE
    for sent, whole in ((short, CONTENT), (b"", bytes(SIZE))):
        route = f"/fragment/{hashlib.sha256(whole).hexdigest()}"
        async with node.put(route, data=sent, headers={"Content-Length": str(len(sent))}) as response:
            assert 201 == response.status
        async with node.get(route) as response:
            assert whole == await response.read()


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-9"}])
async def test_a_flipped_bit_is_never_served(node: Client, tmp_path: Path, headers: dict[str, str]) -> None:
    """A damaged file answers 410 once, is set aside, and is then unknown; reads in part notice, too."""
    await node.put(ROUTE, data=CONTENT)
    await (await node.get(ROUTE)).read()
    stored = tmp_path / "fragments" / DIGEST
    damaged = bytearray(stored.read_bytes())
    damaged[SIZE - 1] ^= 1
    stored.write_bytes(damaged)
    assert await _error_of(node, "GET", ROUTE, headers=headers) == (410, "fragment_corrupt")
    assert await _error_of(node, "GET", ROUTE, headers=headers) == (404, "fragment_unknown")
    assert (tmp_path / "corrupt" / DIGEST).read_bytes() == damaged


async def test_a_cut_file_is_damaged(node: Client, tmp_path: Path) -> None:
    """A file that lost its end is never served, not even the part that is there."""
    await node.put(ROUTE, data=CONTENT)
    os.truncate(tmp_path / "fragments" / DIGEST, 100)
    assert await _error_of(node, "GET", ROUTE, headers={"Range": "bytes=0-9"}) == (410, "fragment_corrupt")


async def test_putting_again_heals(node: Client, tmp_path: Path) -> None:
    """A fragment that is put over a damaged file is intact again."""
    await node.put(ROUTE, data=CONTENT)
    (tmp_path / "fragments" / DIGEST).write_bytes(b"damaged")
    await node.put(ROUTE, data=CONTENT)
    async with node.get(ROUTE) as response:
        assert await response.read() == CONTENT


async def test_impossible_ranges_are_refused(node: Client) -> None:
    """A range outside the fragment is 416."""
    await node.put(ROUTE, data=CONTENT)
    assert await _error_of(node, "GET", ROUTE, headers={"Range": f"bytes={SIZE}-"}) == (416, "range_invalid")


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer " + "x" * 64, TOKEN, "Basic " + TOKEN])
@pytest.mark.parametrize(("method", "route"), [("GET", "/health"), ("GET", ROUTE), ("PUT", ROUTE)])
async def test_every_request_needs_the_token(node: Client, header: str, method: str, route: str) -> None:
    """Without the shared token nothing is told, read or written."""
    answer = await _error_of(node, method, route, headers={"Authorization": header})
    assert answer == (401, "unauthorised")


async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A write that finds no room is 507, so that the gateway takes another node."""

    class FullStore(FragmentStore):
        def put(self, digest: bytes, content: bytes) -> None:
            raise OSError(errno.ENOSPC, f"no room for {len(content)} bytes of {digest.hex()}")

    app = make_app(FullStore(tmp_path, SIZE), TOKEN)
    async with TestClient(TestServer(app), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        assert await _error_of(client, "PUT", ROUTE, data=CONTENT) == (507, "disk_full")


def test_leftovers_of_a_crash_are_cleared(tmp_path: Path) -> None:
    """An unfinished write of an earlier process is gone when the next one starts."""
    leftover = tmp_path / "parts" / ".0123.part"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    FragmentStore(tmp_path, SIZE)
    assert not leftover.exists()


def test_padding_takes_no_disk(tmp_path: Path) -> None:
    """The zero bytes that pad a small object cost no blocks on the node."""
    FragmentStore(tmp_path, SIZE).put(bytes.fromhex(DIGEST), CONTENT)
    found = (tmp_path / "fragments" / DIGEST).stat()
    assert found.st_size == SIZE
    assert found.st_blocks * 512 <= SIZE // 2 + 4096
