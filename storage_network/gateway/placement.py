"""Where an object's fragments are now: nodes are asked, and read their disks only if that is wanted."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, Final

from caregrid.storage.file_id import DATA_SHARDS
from storage_network.gateway.concurrency import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage_network.gateway.catalogue import PlacedFragment, PlacedSegment, StoredObject
    from storage_network.gateway.node_client import NodeClient

#: Fragments asked for at once over all requests; a node answers each without reading its disk.
MAX_PROBES: Final = 64
#: Fragments that nodes read and hash at once over all requests.
MAX_CHECKS: Final = 12


class Prober:
    """Counts and describes living fragments."""

    def __init__(self, nodes: NodeClient) -> None:
        self._nodes = nodes
        self._places, self._checks = asyncio.Semaphore(MAX_PROBES), asyncio.Semaphore(MAX_CHECKS)

    async def placement(self, stored: StoredObject) -> dict[str, Any]:
        """Return counts of the segment that has the fewest living fragments."""
        return _counts(stored, [await self._living(segment, checked=False) for segment in stored.segments])

    async def detail(self, stored: StoredObject, *, checked: bool) -> dict[str, Any]:
        """Return the counts and every fragment: where it is and whether it lives.

        Args:
            stored: the object.
            checked: have every node read its fragment and hash it; else it only looks whether it is there.
        """
        living = [await self._living(segment, checked=checked) for segment in stored.segments]
        segments = [
            {"digest": None if digest is None else digest.hex(), "fragments": _described(segment, lives)}
            for segment, lives, digest in itertools.zip_longest(stored.segments, living, stored.digests)
        ]
        return {**_counts(stored, living), "segments": segments}

    async def _living(self, segment: PlacedSegment, *, checked: bool) -> list[bool]:
        probe = self._check if checked else self._probe
        return await together(probe(fragment) for fragment in segment)

    async def _probe(self, fragment: PlacedFragment) -> bool:
        async with self._places:
            return not self._is_unwell(fragment.node) and await self._nodes.has(
                fragment.node, fragment.digest
            )

    async def _check(self, fragment: PlacedFragment) -> bool:
        async with self._checks:
            return not self._is_unwell(fragment.node) and await self._nodes.has_intact(
                fragment.node, fragment.digest
            )

    def _is_unwell(self, node: str) -> bool:
        return self._nodes.seems_down(node) or self._nodes.is_suspect(node)


def _counts(stored: StoredObject, living: Sequence[Sequence[bool]]) -> dict[str, Any]:
    holders = [
        [fragment.node for fragment, lives in zip(segment, alive, strict=True) if lives]
        for segment, alive in zip(stored.segments, living, strict=True)
    ]
    fewest, nodes = min((len(held), len(set(held))) for held in holders)
    return {"needed": DATA_SHARDS, "total": len(stored.segments[0]), "living": fewest, "nodes": nodes}


def _described(segment: PlacedSegment, living: Sequence[bool]) -> list[dict[str, Any]]:
    return [
        {"index": index, "digest": fragment.digest.hex(), "node": fragment.node, "living": lives}
        for index, (fragment, lives) in enumerate(zip(segment, living, strict=True))
    ]
