"""The gateway's side of the storage nodes' HTTP interface."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections import Counter
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from caregrid.errors import StorageUnreachable
from caregrid.storage.file_id import FRAGMENT_SIZE
from storage_network.gateway.concurrency import together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from storage_network.gateway.settings import NodeAddress

#: A node on this machine accepts at once; a dead one must not hold up a read that others can serve.
CONNECT_TIMEOUT_S: Final = 1.0
#: A living node answers this without touching a fragment.
HEALTH_TIMEOUT_S: Final = 3.0
#: Reading, checking and sending 8 MiB takes a node far less, even on a busy disk.
READ_TIMEOUT_S: Final = 10.0
#: A node that sends nothing for this long while read from hangs; others have the same bytes.
STALL_TIMEOUT_S: Final = 3.0
#: A node that takes fewer bytes a second than this is as good as down; eleven others get theirs meanwhile.
WRITE_FLOOR: Final = 1024 * 1024
#: Beside that: for a node that has to wait for its turn before it takes the first byte.
WRITE_GRACE_S: Final = 5.0
#: Hashing and syncing 8 MiB that a node has, with eleven others doing the same on perhaps the same disk.
WRITE_SYNC_TIMEOUT_S: Final = 15.0
#: All of a write, which the three above make up.
WRITE_TIMEOUT_S: Final = 30.0
#: Deleting a file and syncing its folder.
DELETE_TIMEOUT_S: Final = 10.0
#: A node that did not answer is asked last for this long.
DOWN_MEMORY_S: Final = 3.0
#: A node that sent other bytes than a fragment's is asked last for this long; its answers are always checked.
SUSPECT_MEMORY_S: Final = 600.0
#: What a node tells of itself is far shorter.
MAX_HEALTH_SIZE: Final = 4096

_CHUNK_SIZE: Final = 256 * 1024
_CREATED: Final = 201
_NO_CONTENT: Final = 204
_OK: Final = 200
_PARTIAL_CONTENT: Final = 206
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeHealth:
    """What a node tells of itself; None where it does not tell."""

    fragments: int | None
    bytes_free: int | None
    bytes_used: int | None
    bytes_limit: int | None
    corrupt: int | None


class NodeClient:
    """Talks to every storage node; `session` stays the caller's.

    Every failure of a node is a `StorageUnreachable`: one that has lost or damaged a fragment serves it no
    more than one that is down.
    """

    def __init__(
        self, session: aiohttp.ClientSession, nodes: Iterable[NodeAddress], token: str | None
    ) -> None:
        self._session = session
        self._urls = {address.node: address.url for address in nodes}
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._down_until: dict[str, float] = {}
        self._suspect_until: dict[str, float] = {}
        self.failures: Counter[str] = Counter()  #: requests that a node did not answer, since the start
        self.lies: Counter[str] = Counter()  #: fragments that a node vouched for and that were others

    @property
    def names(self) -> list[str]:
        """The configured nodes, in the order of their names."""
        return sorted(self._urls)

    async def healths(self) -> dict[str, NodeHealth | None]:
        """Return what every node tells of itself now, by name in order; None where one does not answer."""
        nodes = self.names
        answers = await together(self._health(node) for node in nodes)
        return dict(zip(nodes, answers, strict=True))

    def seems_down(self, node: str) -> bool:
        """Tell whether the node failed to answer a moment ago, or is not among the configured ones."""
        return node not in self._urls or self._down_until.get(node, 0.0) > time.monotonic()

    def is_suspect(self, node: str) -> bool:
        """Tell whether the node has sent other bytes than a fragment's not long ago."""
        return self._suspect_until.get(node, 0.0) > time.monotonic()

    async def put(self, node: str, digest: bytes, content: bytes | memoryview) -> None:
        """Have a node keep a fragment; on return it is on the node's disk.

        Zero bytes at the fragment's end may be left out: of a small object they are nearly all. A node has to
        take bytes all the time; one that stalls fails long before the deadline of the whole.
        """
        headers = {"Content-Length": str(len(content))}
        try:
            async with asyncio.timeout(WRITE_GRACE_S) as patience:
                data = _chunks(content, patience)
                async with self._request(
                    node, "PUT", digest, WRITE_TIMEOUT_S, headers=headers, data=data
                ) as response:
                    _require_status(response, _CREATED)
        except TimeoutError as exc:
            raise self._unreachable(node, exc) from exc

    async def get(self, node: str, digest: bytes, *, filled: int = FRAGMENT_SIZE) -> bytes:
        """Return a whole fragment, checked against its hash.

        Args:
            node: its name.
            digest: SHA-256 of the fragment.
            filled: bytes before those that are zero because the segment is padded; only these are sent.
        """
        sent = await self._sent(node, digest, filled)
        content = sent.ljust(FRAGMENT_SIZE, b"\0")
        if await asyncio.to_thread(_sha256, content) != digest:
            self._suspect(node)
            raise StorageUnreachable("the storage node sent a damaged fragment")
        return content

    async def _sent(self, node: str, digest: bytes, filled: int) -> bytes:
        if 0 < filled < FRAGMENT_SIZE:
            return await self.get_part(node, digest, 0, filled)
        async with self._request(node, "GET", digest, READ_TIMEOUT_S, stall_s=STALL_TIMEOUT_S) as response:
            _require_status(response, _OK)
            return await response.content.readexactly(FRAGMENT_SIZE)

    async def get_part(self, node: str, digest: bytes, start: int, length: int) -> bytes:
        """Return a part of a fragment, unchecked on this side."""
        headers = {"Range": f"bytes={start}-{start + length - 1}"}
        async with self._request(
            node, "GET", digest, READ_TIMEOUT_S, stall_s=STALL_TIMEOUT_S, headers=headers
        ) as response:
            _require_status(response, _PARTIAL_CONTENT)
            return await response.content.readexactly(length)

    async def has(self, node: str, digest: bytes) -> bool:
        """Tell whether a node answers and has a fragment; its content is not read."""
        try:
            async with self._request(node, "HEAD", digest, HEALTH_TIMEOUT_S) as response:
                return response.status == _OK
        except StorageUnreachable:
            return False

    async def has_intact(self, node: str, digest: bytes) -> bool:
        """Tell whether a node has a fragment that it has just read from its disk and checked."""
        try:
            async with self._request(
                node, "HEAD", digest, READ_TIMEOUT_S, headers={"Check": "now"}
            ) as response:
                return response.status == _OK
        except StorageUnreachable:
            return False

    async def delete(self, node: str, digest: bytes) -> None:
        """Have a node forget a fragment; one that it does not have is no error."""
        async with self._request(node, "DELETE", digest, DELETE_TIMEOUT_S) as response:
            _require_status(response, _NO_CONTENT)

    def asking(
        self, node: str, method: str, path: str, timeout_s: float, *, data: bytes | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Ask a configured node something else; failures are as everywhere here."""
        return self._call(node, method, path, timeout_s, data=data)

    async def _health(self, node: str) -> NodeHealth | None:
        try:
            async with self._call(node, "GET", "/health", HEALTH_TIMEOUT_S) as response:
                if response.status != _OK:
                    return None
                return _health_of(await response.content.read(MAX_HEALTH_SIZE))
        except StorageUnreachable:
            return None

    def _suspect(self, node: str) -> None:
        _log.error("node_lies node=%s", node)
        self.lies[node] += 1
        self._suspect_until[node] = time.monotonic() + SUSPECT_MEMORY_S

    @asynccontextmanager
    async def _request(
        self, node: str, method: str, digest: bytes, timeout_s: float, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if node not in self._urls:
            raise StorageUnreachable("the fragment's storage node is not configured any more")
        async with self._call(node, method, f"/fragment/{digest.hex()}", timeout_s, **options) as response:
            yield response

    @asynccontextmanager
    async def _call(
        self,
        node: str,
        method: str,
        path: str,
        timeout_s: float,
        *,
        stall_s: float | None = None,
        headers: dict[str, str] | None = None,
        data: AsyncIterator[bytes | memoryview] | bytes | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(
                method,
                self._urls[node] + path,
                headers={**self._headers, **(headers or {})},
                data=data,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(timeout_s, sock_connect=CONNECT_TIMEOUT_S, sock_read=stall_s),
            ) as response:
                self._down_until.pop(node, None)
                yield response
        except (aiohttp.ClientError, asyncio.IncompleteReadError, TimeoutError, OSError) as exc:
            raise self._unreachable(node, exc) from exc

    def _unreachable(self, node: str, exc: Exception) -> StorageUnreachable:
        _log.warning("node_unreachable node=%s error=%s", node, type(exc).__name__)
        self.failures[node] += 1
        self._down_until[node] = time.monotonic() + DOWN_MEMORY_S
        return StorageUnreachable("a storage node did not answer")


def _health_of(body: bytes) -> NodeHealth | None:
    try:
        told = json.loads(body)
        numbers = {field.name: _number(told.get(field.name)) for field in fields(NodeHealth)}
    except (ValueError, AttributeError):
        return None
    return NodeHealth(**numbers)


def _number(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _require_status(response: aiohttp.ClientResponse, status: int) -> None:
    if response.status != status:
        raise StorageUnreachable(f"the storage node answered with status {response.status}")


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


async def _chunks(
    content: bytes | memoryview, patience: asyncio.Timeout
) -> AsyncIterator[bytes | memoryview]:
    # Whoever sends these asks for the next one when the node has taken enough of those before.
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for start in range(0, len(content), _CHUNK_SIZE):
        _grant(patience, begun + WRITE_GRACE_S + start / WRITE_FLOOR)
        yield content[start : start + _CHUNK_SIZE]
    _grant(patience, loop.time() + WRITE_SYNC_TIMEOUT_S)


def _grant(patience: asyncio.Timeout, until: float) -> None:
    # The answer can be there, or the time be over, before the last byte is sent.
    with suppress(RuntimeError):
        patience.reschedule(until)
