"""Where an object's fragments are now: nodes are asked, none is read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from caregrid.storage.file_id import DATA_SHARDS
from storage_network.gateway.concurrency import together

if TYPE_CHECKING:
    from storage_network.gateway.catalogue import PlacedFragment, PlacedSegment, StoredObject
    from storage_network.gateway.node_client import NodeClient

#: Fragments asked for at once over all requests; a node answers each without reading its disk.
MAX_PROBES: Final = 64


class Prober:
    """Counts living fragments."""

    def __init__(self, nodes: NodeClient) -> None:
        self._nodes = nodes
        self._places = asyncio.Semaphore(MAX_PROBES)

    async def placement(self, stored: StoredObject) -> dict[str, int]:
        """Return counts of the segment that has the fewest living fragments."""
        counts = [await self._count(segment) for segment in stored.segments]
        living, nodes = min(counts)
        return {
            "needed": DATA_SHARDS,
            "total": len(stored.segments[0]),
            "living": living,
            "nodes": nodes,
        }

    async def _count(self, segment: PlacedSegment) -> tuple[int, int]:
        answers = await together(self._probe(fragment) for fragment in segment)
        holders = [fragment.node for fragment, lives in zip(segment, answers, strict=True) if lives]
        return len(holders), len(set(holders))

    async def _probe(self, fragment: PlacedFragment) -> bool:
        async with self._places:
            return not self._nodes.seems_down(fragment.node) and await self._nodes.has(
                fragment.node, fragment.digest
            )
