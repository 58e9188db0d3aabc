"""Writing: every segment is coded and its 12 fragments go to 12 nodes."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from typing import TYPE_CHECKING, Final

from caregrid.errors import StorageUnreachable
from caregrid.storage import reed_solomon
from caregrid.storage.reed_solomon import TOTAL_SHARDS
from storage_network.gateway.catalogue import PlacedFragment
from storage_network.gateway.concurrency import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage_network.gateway.catalogue import PlacedSegment
    from storage_network.gateway.node_client import NodeClient
    from storage_network.gateway.spool import Spool

#: Segments coded and sent at once over all uploads; each takes about 128 MiB of memory meanwhile.
MAX_SEGMENTS_IN_MEMORY: Final = 2


class Disperser:
    """Spreads segments over the nodes, with bounded memory over all uploads."""

    def __init__(self, nodes: NodeClient) -> None:
        self._nodes = nodes
        self._memory = asyncio.Semaphore(MAX_SEGMENTS_IN_MEMORY)

    async def disperse(self, spool: Spool, segments: Sequence[bytes]) -> tuple[PlacedSegment, ...]:
        """Write every segment of an upload, given their hashes; on return all fragments are durable.

        Raises:
            StorageUnreachable: fewer than 12 nodes take fragments.
        """
        alive = await self._nodes.alive()
        waiting = iter(enumerate(segments))
        placed: dict[int, PlacedSegment] = {}

        async def work() -> None:
            for number, digest in waiting:
                placed[number] = await self._segment(spool, number, digest, alive)

        # Two at work: while one segment is on its way to the nodes, the next is coded.
        await together(work() for _ in range(MAX_SEGMENTS_IN_MEMORY))
        return tuple(placed[number] for number in range(len(segments)))

    async def _segment(self, spool: Spool, number: int, digest: bytes, alive: Sequence[str]) -> PlacedSegment:
        async with self._memory:
            fragments = await asyncio.to_thread(_code, spool, number)
            spares = deque(placement_order(digest, alive))
            homes = [_next_node(spares) for _ in range(TOTAL_SHARDS)]
            placed = zip(homes, fragments, strict=True)
            return tuple(await together(self._fragment(home, content, spares) for home, content in placed))

    async def _fragment(self, home: str, content: bytes, spares: deque[str]) -> PlacedFragment:
        digest = await asyncio.to_thread(_sha256, content)
        while True:
            try:
                await self._nodes.put(home, digest, content)
            except StorageUnreachable:
                home = _next_node(spares)
            else:
                return PlacedFragment(digest=digest, node=home)


def placement_order(segment: bytes, nodes: Sequence[str]) -> list[str]:
    """Return the nodes in the order in which they take fragments 0 to 11 of a segment, then the spares.

    The order is rotated by the segment's hash, so that data and parity spread evenly over the nodes.
    """
    if not nodes:
        return []
    first = int.from_bytes(segment[:8], "big") % len(nodes)
    return [*nodes[first:], *nodes[:first]]


def _next_node(spares: deque[str]) -> str:
    if not spares:
        raise StorageUnreachable(
            f"fewer than {TOTAL_SHARDS} storage nodes take fragments; start more, then retry"
        )
    return spares.popleft()


def _code(spool: Spool, number: int) -> list[bytes]:
    return reed_solomon.encode(spool.segment(number))


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
